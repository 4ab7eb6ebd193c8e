// ByteLevel: cuts by GPT-2's pattern (use_regex) and hands the model bytes instead of characters. Hugging Face writes each byte
// as a printable character of a fixed alphabet; here the text stays bytes and the vocabulary is translated once, at load.
#pragma once

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class ByteLevel final : public PreTokenizer {
  public:
    ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space), use_regex_(use_regex) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;
    bool makes_bytes() const override { return true; }

  private:
    bool add_prefix_space_;
    bool use_regex_;
};

}  // namespace rag::core
