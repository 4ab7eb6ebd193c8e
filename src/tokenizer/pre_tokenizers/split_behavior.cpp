#include "tokenizer/pre_tokenizers/split_behavior.hpp"

#include <algorithm>
#include <cstddef>

namespace rag::core {
namespace {

// Joins neighbours so that a match goes to the part before it; two matches in a row do not join.
void merge_with_previous(const std::vector<SplitPart>& parts, std::vector<Span>& out) {
    const std::size_t begin = out.size();
    bool previous_match = false;
    for (const SplitPart& part : parts) {
        if (part.match && !previous_match && out.size() > begin) {
            out.back().end = part.span.end;
        } else {
            out.push_back(part.span);
        }
        previous_match = part.match;
    }
}

void merge_with_next(const std::vector<SplitPart>& parts, std::vector<Span>& out) {
    const std::size_t begin = out.size();
    bool previous_match = false;
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
        if (part->match && !previous_match && out.size() > begin) {
            out.back().start = part->span.start;
        } else {
            out.push_back(part->span);
        }
        previous_match = part->match;
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end());
}

void join_equal(const std::vector<SplitPart>& parts, std::vector<Span>& out) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0 && parts[i].match == parts[i - 1].match) {
            out.back().end = parts[i].span.end;
        } else {
            out.push_back(parts[i].span);
        }
    }
}

}  // namespace

void join_parts(SplitBehavior behavior, const std::vector<SplitPart>& parts, std::vector<Span>& out) {
    switch (behavior) {
        case SplitBehavior::kRemoved:
        case SplitBehavior::kIsolated:
            for (const SplitPart& part : parts) {
                if (behavior == SplitBehavior::kIsolated || !part.match) out.push_back(part.span);
            }
            return;
        case SplitBehavior::kMergedWithPrevious:
            return merge_with_previous(parts, out);
        case SplitBehavior::kMergedWithNext:
            return merge_with_next(parts, out);
        case SplitBehavior::kContiguous:
            return join_equal(parts, out);
    }
}

}  // namespace rag::core
