// Which code points search treats apart: Han and Kana, whose words have no spaces, and the scripts that ICU cuts by dictionary.
// Block ranges of Unicode 15 (Scripts.txt), because a property look-up per character is what the fast path has to avoid.
#pragma once

#include <array>
#include <cstdint>

#include "text/words.hpp"

namespace rag::core {

constexpr bool is_between(char32_t value, char32_t first, char32_t last) noexcept {
    return value >= first && value <= last;
}
constexpr bool is_kana(char32_t value) noexcept {
    return is_between(value, 0x3041, 0x3096) || is_between(value, 0x309D, 0x309F) || is_between(value, 0x30A1, 0x30FA) ||
           is_between(value, 0x30FC, 0x30FF) || is_between(value, 0x31F0, 0x31FF) || is_between(value, 0xFF66, 0xFF9D) ||
           is_between(value, 0x1B000, 0x1B167);
}
constexpr bool is_han(char32_t value) noexcept {
    return is_between(value, 0x4E00, 0x9FFF) || is_between(value, 0x3400, 0x4DBF) || value == 0x3005 || value == 0x3007 ||
           is_between(value, 0x3105, 0x312F) || is_between(value, 0x31A0, 0x31BF) || is_between(value, 0x2E80, 0x2FD5) ||
           is_between(value, 0xF900, 0xFAFF) || is_between(value, 0x20000, 0x323AF);
}
constexpr bool is_cjk(char32_t value) noexcept {
    return value >= 0x2E80 && (is_han(value) || is_kana(value));
}
/// Voicing marks of Kana and variation selectors, which belong to the character before them.
constexpr bool is_cjk_mark(char32_t value) noexcept {
    return is_between(value, 0x3099, 0x309C) || value == 0xFF9E || value == 0xFF9F || is_between(value, 0xFE00, 0xFE0F) ||
           is_between(value, 0xE0100, 0xE01EF);
}
/// Signs of the CJK and full-width blocks that never join words, so that they need no ICU.
constexpr bool is_cjk_punctuation(char32_t value) noexcept {
    return is_between(value, 0x3000, 0x3004) || is_between(value, 0x3008, 0x3020) || value == 0x30FB ||
           is_between(value, 0xFF01, 0xFF06) || is_between(value, 0xFF08, 0xFF0B) || value == 0xFF0D || value == 0xFF0F ||
           is_between(value, 0xFF1C, 0xFF20) || is_between(value, 0xFF5F, 0xFF65);
}
constexpr bool is_hangul(char32_t value) noexcept {
    return is_between(value, 0xAC00, 0xD7A3) || is_between(value, 0x1100, 0x11FF) || is_between(value, 0x3131, 0x318E) ||
           is_between(value, 0xA960, 0xA97C) || is_between(value, 0xD7B0, 0xD7FB) || is_between(value, 0xFFA0, 0xFFDC);
}
constexpr bool is_southeast_asian(char32_t value) noexcept {
    return is_between(value, 0x0E00, 0x0EFF) || is_between(value, 0x1000, 0x109F) || is_between(value, 0x1780, 0x17FF) ||
           is_between(value, 0x19E0, 0x19FF) || is_between(value, 0xA9E0, 0xA9FF) || is_between(value, 0xAA60, 0xAA7F);
}
constexpr Word::Kind kind_of(char32_t value) noexcept {
    if (value < 0x0E00) return Word::kWord;
    if (is_han(value)) return Word::kHan;
    if (is_kana(value)) return Word::kKana;
    if (is_hangul(value)) return Word::kHangul;
    if (is_southeast_asian(value)) return Word::kSoutheastAsian;
    return Word::kWord;
}

}  // namespace rag::core
