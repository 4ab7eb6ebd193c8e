// UTF-8 as bytes to code points and back, strict as in Unicode 15 table 3-7 (no surrogates, no overlong forms).
// For every folder that walks text. Not for normal forms or categories: those are tables of the tokenizer, or ICU in text/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rag::core {

/// One code point decoded at `text[at]`. length is 0 at the end; `valid` false: length bytes (at least 1) are the maximal
/// ill-formed subpart, value is U+FFFD.
struct Utf8Step {
    char32_t value;
    std::uint32_t length;
    bool valid;
};
Utf8Step decode_any_utf8(std::string_view text, std::size_t at) noexcept;

/// The same; the commonest sequences of three bytes (most of Chinese, Japanese, Korean) are decoded without a call.
inline Utf8Step decode_utf8(std::string_view text, std::size_t at) noexcept {
    if (at + 2 < text.size()) {
        const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
        // Lead bytes E1 to EC take any two continuation bytes.
        if (byte(0) > 0xE0 && byte(0) < 0xED && (byte(1) & 0xC0) == 0x80 && (byte(2) & 0xC0) == 0x80) {
            return {static_cast<char32_t>((byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F)), 3, true};
        }
    }
    return decode_any_utf8(text, at);
}

/// Appends `value` to `out`; what is no scalar value (a surrogate, above U+10FFFF) becomes U+FFFD, so that the result is always
/// well-formed.
void append_utf8(std::string& out, char32_t value);

/// Offset of the first ill-formed byte, or npos.
std::size_t find_invalid_utf8(std::string_view text) noexcept;

/// Throws kInvalidArgument that names `what` and the offset of the first ill-formed byte.
void require_utf8(std::string_view text, std::string_view what);

/// Every maximal ill-formed subpart becomes U+FFFD.
std::string replace_invalid_utf8(std::string_view text);

/// Code points in well-formed UTF-8.
std::size_t count_code_points(std::string_view text) noexcept;

}  // namespace rag::core
