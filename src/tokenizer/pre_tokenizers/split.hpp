// Split: cuts at the matches of a pattern; what becomes of the matches themselves is the behaviour. With `invert` matches and
// the text between them change places.
#pragma once

#include <utility>

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"
#include "tokenizer/pre_tokenizers/split_behavior.hpp"
#include "tokenizer/regex.hpp"

namespace rag::core {

class Split final : public PreTokenizer {
  public:
    Split(Regex pattern, SplitBehavior behavior, bool invert)
        : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;

  private:
    Regex pattern_;
    SplitBehavior behavior_;
    bool invert_;
};

}  // namespace rag::core
