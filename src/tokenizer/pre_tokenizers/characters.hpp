// The step that every scanner takes: one character of well-formed UTF-8 (see code_points.hpp) with its properties.
#pragma once

#include <cstdint>
#include <string_view>

#include "tokenizer/unicode/code_points.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace rag::core {

struct Character {
    std::uint16_t properties;
    std::uint32_t length;  // bytes
};

/// Of every character of is_common_han().
inline constexpr std::uint16_t kHanProperties = unicode::kLetter | unicode::kCjk | unicode::kWord;

inline Character character_at(std::string_view text, std::uint32_t at) noexcept {
    if (is_common_han(text, at)) return {kHanProperties, kHanBytes};
    const CodePoint point = code_point_at(text, at);
    return {unicode::properties(point.value), point.length};
}

}  // namespace rag::core
