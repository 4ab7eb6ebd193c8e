// The step that every scanner takes: one character of well-formed UTF-8 with its properties. Text reaches the pre-tokenizers
// checked (Tokenizer refuses ill-formed UTF-8), so this decoder does not check again; do not use it on anything else.
#pragma once

#include <cstdint>
#include <string_view>

#include "tokenizer/unicode/properties.hpp"

namespace rag::core {

struct Character {
    std::uint16_t properties;
    std::uint32_t length;  // bytes
};

inline Character character_at(std::string_view text, std::uint32_t at) noexcept {
    const auto byte = [&](std::uint32_t i) -> std::uint32_t { return static_cast<unsigned char>(text[at + i]); };
    const std::uint32_t lead = byte(0);
    if (lead < 0x80) return {unicode::properties(lead), 1};
    if (lead < 0xE0) return {unicode::properties(((lead & 0x1F) << 6) | (byte(1) & 0x3F)), 2};
    if (lead < 0xF0) {
        return {unicode::properties(((lead & 0x0F) << 12) | ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F)), 3};
    }
    const std::uint32_t value = ((lead & 0x07) << 18) | ((byte(1) & 0x3F) << 12) | ((byte(2) & 0x3F) << 6) | (byte(3) & 0x3F);
    return {unicode::properties(value), 4};
}

}  // namespace rag::core
