#include "tokenizer/limits.hpp"

#include <algorithm>

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

}  // namespace

std::vector<std::size_t> kept_tokens(const std::vector<EncodedPart>& parts, const Truncation& truncation, std::size_t added) {
    if (truncation.max_length < added) {
        fail(Code::kInvalidArgument, "truncation to {} tokens leaves no room for the {} special ones", truncation.max_length,
             added);
    }
    const std::size_t limit = truncation.max_length - added;
    std::vector<std::size_t> kept;
    std::size_t total = 0;
    for (const EncodedPart& part : parts) {
        kept.push_back(part.encoding.size());
        total += part.encoding.size();
    }
    if (total <= limit) return kept;
    if (limit == 0) return std::vector<std::size_t>(parts.size(), 0);
    if (truncation.strategy == TruncationStrategy::kLongestFirst) {
        if (parts.size() == 1) return {limit};
        // A text that is shorter than its share stays as it is.
        const auto [first, second] = share(kept[0], kept[1], limit);
        return {std::min(kept[0], first), std::min(kept[1], second)};
    }
    const std::size_t index = truncation.strategy == TruncationStrategy::kOnlyFirst ? 0 : 1;
    if (index >= parts.size()) {
        fail(Code::kInvalidArgument, "truncation of the second text only, and there is no second text");
    }
    const std::size_t excess = total - limit;
    if (kept[index] <= excess) {
        fail(Code::kInvalidArgument, "truncation to {} tokens: the text to cut has {}, and {} must go", limit, kept[index],
             excess);
    }
    kept[index] -= excess;
    return kept;
}

std::pair<std::size_t, std::size_t> first_window(std::size_t size, std::size_t kept, const Truncation& truncation) {
    if (kept >= size) return {0, size};
    if (kept != 0 && truncation.stride >= kept) {
        fail(Code::kInvalidArgument, "a stride of {} tokens must be less than the {} that stay of a text", truncation.stride,
             kept);
    }
    return {truncation.keep_last ? size - kept : 0, kept};
}

std::vector<std::pair<std::size_t, std::size_t>> windows_of(std::size_t size, std::size_t kept, const Truncation& truncation) {
    const auto first = first_window(size, kept, truncation);
    if (kept >= size) return {first};
    if (kept == 0) return {first, {0, size}};
    const std::size_t step = kept - truncation.stride;
    std::vector<std::pair<std::size_t, std::size_t>> windows;
    for (std::size_t done = 0;; done += step) {  // from the beginning, or from the end
        const std::size_t count = std::min(kept, size - done);
        windows.emplace_back(truncation.keep_last ? size - done - count : done, count);
        if (done + count == size) return windows;
    }
}

std::size_t padded_length(const Padding& padding, std::size_t longest) noexcept {
    const std::size_t length = padding.fixed_length.value_or(longest);
    const std::size_t rest = padding.multiple_of > 0 ? length % padding.multiple_of : 0;
    return rest == 0 ? length : length + padding.multiple_of - rest;
}

void pad(Encoding& encoding, const Padding& padding, std::size_t length, bool name_tokens) {
    if (encoding.size() >= length) return;
    const std::size_t missing = length - encoding.size();
    Encoding filler;
    filler.reserve(padding.left ? length : missing);
    filler.ids.resize(missing, padding.id);
    filler.offsets.resize(missing, {0, 0});
    filler.type_ids.resize(missing, padding.type_id);
    filler.attention_mask.resize(missing, 0);
    filler.special_tokens_mask.resize(missing, 1);
    filler.sequence_ids.resize(missing, static_cast<std::int8_t>(encoding.one_sequence ? 0 : -1));
    filler.words.resize(missing, -1);
    if (name_tokens) {
        for (std::size_t i = 0; i < missing; ++i) filler.texts.emplace_back(i, padding.token);
    }
    if (!padding.left) return encoding.append(filler);
    filler.append(encoding);
    filler.cut = std::move(encoding.cut);
    filler.one_sequence = encoding.one_sequence;
    encoding = std::move(filler);
}

}  // namespace rag::core
