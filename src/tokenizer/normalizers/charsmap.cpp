#include "tokenizer/normalizers/charsmap.hpp"

#include <cstddef>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

std::uint32_t read_u32(std::string_view bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i > 0; --i) value = (value << 8) | static_cast<unsigned char>(bytes[at + i - 1]);
    return value;
}

}  // namespace

CharsMap::CharsMap(std::string_view bytes) {
    if (bytes.size() < 4) fail(Code::kCorrupt, "a precompiled_charsmap of {} bytes, 4 are the least", bytes.size());
    const std::size_t count = read_u32(bytes, 0) / 4;
    if (count > (bytes.size() - 4) / 4) {
        fail(Code::kCorrupt, "a precompiled_charsmap of {} bytes that says its trie has {} units", bytes.size(), count);
    }
    units_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) units_.push_back(read_u32(bytes, 4 + 4 * i));
    strings_ = bytes.substr(4 + 4 * count);
    require_utf8(strings_, "the strings of a precompiled_charsmap");
    if (!units_.empty()) first_ = offset(units_[0]);
}

std::optional<CharsMap::Longest> CharsMap::find_longest(std::string_view text) const {
    std::optional<Longest> longest;
    std::uint32_t node = first_;
    for (std::uint32_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte == 0) break;
        node ^= byte;
        const std::uint32_t unit = at(node);
        if ((unit & kLabelMask) != byte) break;
        node ^= offset(unit);
        const bool whole = i + 1 == text.size() || !is_continuation(text[i + 1]);  // a key ends at a character
        if ((unit & kHasLeaf) != 0 && whole) longest = {string_at(at(node) & ~kLeaf), i + 1};
    }
    return longest;
}

void CharsMap::refuse_node(std::uint32_t node) const {
    fail(Code::kCorrupt, "a precompiled_charsmap whose trie of {} units points at unit {}", units_.size(), node);
}

std::string_view CharsMap::string_at(std::uint32_t start) const {
    if (start > strings_.size() || (start < strings_.size() && is_continuation(strings_[start]))) {
        fail(Code::kCorrupt, "a precompiled_charsmap that points at byte {} of its {} bytes of strings", start, strings_.size());
    }
    const std::string_view rest = std::string_view(strings_).substr(start);
    return rest.substr(0, rest.find('\0'));
}

}  // namespace rag::core
