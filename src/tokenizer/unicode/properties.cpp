#include "tokenizer/unicode/properties.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace rag::core::unicode {
namespace detail {
#include "tokenizer/unicode/tables.inc"
}  // namespace detail

namespace {
using namespace detail;

template <typename Key>
std::ptrdiff_t find_key(std::span<const Key> keys, Key key) noexcept {
    const auto at = std::lower_bound(keys.begin(), keys.end(), key);
    return at != keys.end() && *at == key ? at - keys.begin() : -1;
}

std::span<const std::uint32_t> find_mapping(std::span<const std::uint32_t> keys, std::span<const std::uint16_t> starts,
                                            std::span<const std::uint32_t> pool, char32_t value) noexcept {
    const std::ptrdiff_t at = find_key<std::uint32_t>(keys, value);
    if (at < 0) return {};
    const auto index = static_cast<std::size_t>(at);
    return pool.subspan(starts[index], starts[index + 1] - starts[index]);
}

}  // namespace

std::span<const std::uint32_t> lower_case(char32_t value) noexcept {
    return find_mapping(kLowerKeys, kLowerStarts, kLowerPool, value);
}

std::span<const std::uint32_t> decomposition(char32_t value, bool compatible) noexcept {
    if (compatible) {  // the second table holds only what differs from the canonical one
        const auto found = find_mapping(kNfkdKeys, kNfkdStarts, kNfkdPool, value);
        if (!found.empty()) return found;
    }
    return find_mapping(kNfdKeys, kNfdStarts, kNfdPool, value);
}

std::uint8_t combining_class(char32_t value) noexcept {
    const std::ptrdiff_t at = find_key<std::uint32_t>(kCccKeys, value);
    return at < 0 ? std::uint8_t{0} : kCccValues[at];
}

std::span<const std::uint64_t> composition_pairs() noexcept {
    return kComposeKeys;
}

char32_t compose(char32_t first, char32_t second) noexcept {
    if (first - kHangulL < kHangulLCount && second - kHangulV < kHangulVCount) {
        return kHangulBase + ((first - kHangulL) * kHangulVCount + (second - kHangulV)) * kHangulTCount;
    }
    const char32_t syllable = first - kHangulBase;
    if (syllable < kHangulCount && syllable % kHangulTCount == 0 && second > kHangulT && second < kHangulT + kHangulTCount) {
        return first + (second - kHangulT);
    }
    const std::uint64_t pair = (static_cast<std::uint64_t>(first) << 32) | second;
    const std::ptrdiff_t at = find_key<std::uint64_t>(kComposeKeys, pair);
    return at < 0 ? 0 : kComposeValues[at];
}

}  // namespace rag::core::unicode
