// What becomes of the matches of a pattern at which text is cut: Split with a regex and Punctuation with a class of characters
// have it in common. Pure functions.
#pragma once

#include <vector>

#include "tokenizer/normalized_text.hpp"

namespace rag::core {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct SplitPart {
    Span span;
    bool match;
};

/// The parts cover a piece, in order; appends the pieces that they make.
void join_parts(SplitBehavior behavior, const std::vector<SplitPart>& parts, std::vector<Span>& out);

}  // namespace rag::core
