// One step through UTF-8 that is known to be well-formed (Tokenizer refuses anything else before a stage sees it), so this decoder
// checks nothing; do not use it on anything else. Pure functions.
#pragma once

#include <cstdint>
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
