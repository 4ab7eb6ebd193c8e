// Punctuation: cuts at every punctuation character (ASCII's and Unicode's); what becomes of it is the behaviour.
#pragma once

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"
#include "tokenizer/pre_tokenizers/split_behavior.hpp"

namespace rag::core {

class Punctuation final : public PreTokenizer {
  public:
    explicit Punctuation(SplitBehavior behavior) : behavior_(behavior) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;

  private:
    SplitBehavior behavior_;
};

}  // namespace rag::core
