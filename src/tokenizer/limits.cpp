#include "tokenizer/limits.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace rag::core {
namespace {

// Both texts share what there is: the shorter one stays whole as long as it takes no more than half.
std::pair<std::size_t, std::size_t> share(std::size_t first, std::size_t second, std::size_t limit) {
    const bool swapped = first > second;
    if (swapped) std::swap(first, second);
    second = first > limit ? first : std::max(first, limit - first);
    if (first + second > limit) {
        first = limit / 2;
        second = first + limit % 2;
    }
    if (swapped) std::swap(first, second);
    return {first, second};
}

void truncate_one(Encoding& encoding, std::size_t excess, const Truncation& truncation, std::size_t limit) {
    if (encoding.size() <= excess) {
        fail(Code::kInvalidArgument, "truncation to {} tokens: the text to cut has {}, and {} must go", limit, encoding.size(),
             excess);
    }
    encoding.truncate(encoding.size() - excess, truncation.keep_last);
}

}  // namespace

void truncate(std::vector<EncodedPart>& parts, const Truncation& truncation, std::size_t added) {
    if (truncation.max_length < added) {
        fail(Code::kInvalidArgument, "truncation to {} tokens leaves no room for the {} special ones", truncation.max_length,
             added);
    }
    const std::size_t limit = truncation.max_length - added;
    std::size_t total = 0;
    for (const EncodedPart& part : parts) total += part.encoding.size();
    if (total <= limit) return;
    if (limit == 0) {
        for (EncodedPart& part : parts) part.encoding.truncate(0, truncation.keep_last);
        return;
    }
    if (truncation.strategy == TruncationStrategy::kOnlySecond && parts.size() < 2) {
        fail(Code::kInvalidArgument, "truncation of the second text only, and there is no second text");
    }
    if (truncation.strategy != TruncationStrategy::kLongestFirst) {
        const std::size_t index = truncation.strategy == TruncationStrategy::kOnlyFirst ? 0 : 1;
        return truncate_one(parts[index].encoding, total - limit, truncation, limit);
    }
    if (parts.size() == 1) return parts[0].encoding.truncate(limit, truncation.keep_last);
    const auto [first, second] = share(parts[0].encoding.size(), parts[1].encoding.size(), limit);
    parts[0].encoding.truncate(first, truncation.keep_last);
    parts[1].encoding.truncate(second, truncation.keep_last);
}

void pad(Encoding& encoding, const Padding& padding, std::size_t length, bool name_tokens) {
    if (padding.multiple_of > 0 && length % padding.multiple_of > 0) length += padding.multiple_of - length % padding.multiple_of;
    if (encoding.size() >= length) return;
    const std::size_t missing = length - encoding.size();
    Encoding filler;
    filler.ids.assign(missing, padding.id);
    filler.offsets.assign(missing, {0, 0});
    filler.type_ids.assign(missing, padding.type_id);
    filler.attention_mask.assign(missing, 0);
    filler.special_tokens_mask.assign(missing, 1);
    filler.sequence_ids.assign(missing, -1);
    if (name_tokens) {
        for (std::size_t i = 0; i < missing; ++i) filler.texts.emplace_back(i, padding.token);
    }
    if (padding.left) std::swap(encoding, filler);
    encoding.append(filler);
}

}  // namespace rag::core
