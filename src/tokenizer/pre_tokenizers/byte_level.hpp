// ByteLevel: cuts by GPT-2's pattern (use_regex) and hands the model bytes instead of characters. Hugging Face writes each byte
// as a printable character of a fixed alphabet. Where a BPE model follows, the text stays bytes here, and the vocabulary is
// translated once, at load; in front of other stages or models the alphabet is written out.
#pragma once

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class ByteLevel final : public PreTokenizer {
  public:
    /// `written`: in the alphabet.
    ByteLevel(bool add_prefix_space, bool use_regex, bool written)
        : add_prefix_space_(add_prefix_space), use_regex_(use_regex), written_(written) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;
    bool makes_bytes() const override { return !written_; }
    bool is_byte_level() const override { return true; }

  private:
    bool add_prefix_space_;
    bool use_regex_;
    bool written_;
};

}  // namespace rag::core
