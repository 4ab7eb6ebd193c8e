// Digits: numbers (every numeric character of Unicode, not only decimal digits) are pieces apart from the rest, one a character
// (individual_digits) or one a run.
#pragma once

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class Digits final : public PreTokenizer {
  public:
    explicit Digits(bool individual) : individual_(individual) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;

  private:
    bool individual_;
};

}  // namespace rag::core
