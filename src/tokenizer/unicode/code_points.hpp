// One step through UTF-8 that is known to be well-formed (Tokenizer refuses anything else before a stage sees it), so this
// decoder checks nothing; do not use it on anything else. Pure functions.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rag::core {

struct CodePoint {
    char32_t value;
    std::uint32_t length;  // bytes
};

inline CodePoint code_point_at(std::string_view text, std::size_t at) noexcept {
    const auto byte = [&](std::size_t i) -> char32_t { return static_cast<unsigned char>(text[at + i]); };
    const char32_t lead = byte(0);
    if (lead < 0x80) return {lead, 1};
    if (lead < 0xE0) return {((lead & 0x1F) << 6) | (byte(1) & 0x3F), 2};
    if (lead < 0xF0) return {((lead & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F), 3};
    return {((lead & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F), 4};
}

/// U+4E00 to U+9FBF, known by their first two bytes: the bulk of Chinese, one block to every table of properties (a test looks at
/// all of it).
inline constexpr unsigned char kHanLeadFirst = 0xE4, kHanLeadLast = 0xE9;
inline constexpr std::uint32_t kHanBytes = 3;
inline bool is_common_han(std::string_view text, std::size_t at) noexcept {
    constexpr std::uint32_t kFirst = 0xE4B8, kLast = 0xE9BE;
    const std::uint32_t lead = static_cast<unsigned char>(text[at]);
    if (lead < kHanLeadFirst) return false;
    return ((lead << 8) | static_cast<unsigned char>(text[at + 1])) - kFirst <= kLast - kFirst;
}

/// Bytes at the start of the eight at `bytes` that are ASCII.
inline std::uint32_t ascii_prefix(const char* bytes) noexcept {
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    const std::uint64_t others = word & 0x8080808080808080U;
    return others == 0 ? 8 : static_cast<std::uint32_t>(std::countr_zero(others)) / 8;
}
/// The first byte at or behind `at` that is not ASCII, or the end of the text.
inline std::uint32_t ascii_end(std::string_view text, std::uint32_t at) noexcept {
    for (; at + 8 <= text.size(); at += 8) {
        if (const std::uint32_t count = ascii_prefix(text.data() + at); count < 8) return at + count;
    }
    while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
    return at;
}

/// Writes a scalar value as UTF-8 and returns its bytes, at most 4.
inline std::uint32_t encode_code_point(char32_t value, char* out) noexcept {
    const auto put = [&](int i, char32_t bits) { out[i] = static_cast<char>(bits); };
    if (value < 0x80) {
        put(0, value);
        return 1;
    }
    if (value < 0x800) {
        put(0, 0xC0 | (value >> 6));
        put(1, 0x80 | (value & 0x3F));
        return 2;
    }
    if (value < 0x10000) {
        put(0, 0xE0 | (value >> 12));
        put(1, 0x80 | ((value >> 6) & 0x3F));
        put(2, 0x80 | (value & 0x3F));
        return 3;
    }
    put(0, 0xF0 | (value >> 18));
    put(1, 0x80 | ((value >> 12) & 0x3F));
    put(2, 0x80 | ((value >> 6) & 0x3F));
    put(3, 0x80 | (value & 0x3F));
    return 4;
}

inline bool is_ascii(char byte) noexcept {
    return static_cast<unsigned char>(byte) < 0x80;
}

/// A byte that is not the first of its character.
inline bool is_continuation(char byte) noexcept {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// The first byte of the character that ends right before `end`, which is not 0.
inline std::uint32_t character_before(std::string_view text, std::uint32_t end) noexcept {
    std::uint32_t at = end - 1;
    while (is_continuation(text[at])) --at;
    return at;
}

}  // namespace rag::core
