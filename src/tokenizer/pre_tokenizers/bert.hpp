// BertPreTokenizer: white characters separate and are dropped, every punctuation character is a piece of its own.
#pragma once

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class BertPreTokenizer final : public PreTokenizer {
  public:
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;
};

}  // namespace rag::core
