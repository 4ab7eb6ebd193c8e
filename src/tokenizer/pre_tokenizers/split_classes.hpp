// What split patterns tell apart, character by character: letters, numbers, spaces and the rest. The scanners' inner step, so
// ASCII and the bulk of Chinese are decided by the first byte; the table of properties has the last word on all else (a test
// compares). Well-formed UTF-8 only, as characters.hpp.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tokenizer/pre_tokenizers/characters.hpp"

namespace rag::core {

inline constexpr std::uint16_t kSplitClasses = unicode::kLetter | unicode::kNumber | unicode::kSpace;

namespace detail {
constexpr std::array<std::uint8_t, 128> make_ascii_classes() {
    std::array<std::uint8_t, 128> out{};
    for (unsigned c = 'a'; c <= 'z'; ++c) out[c] = out[c - 'a' + 'A'] = unicode::kLetter;
    for (unsigned c = '0'; c <= '9'; ++c) out[c] = unicode::kNumber;
    for (const char c : {'\t', '\n', '\v', '\f', '\r', ' '}) out[static_cast<unsigned char>(c)] = unicode::kSpace;
    return out;
}
inline constexpr auto kAsciiClasses = make_ascii_classes();
}  // namespace detail

/// `properties` has the bits of kSplitClasses only: one of them, or none.
inline Character split_class_at(std::string_view text, std::uint32_t at) noexcept {
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead < 0x80) return {detail::kAsciiClasses[lead], 1};
    if (is_common_han(text, at)) return {unicode::kLetter, kHanBytes};
    const Character character = character_at(text, at);
    return {static_cast<std::uint16_t>(character.properties & kSplitClasses), character.length};
}

/// ASCII letters at the start of the eight bytes at `bytes`, found for all at once: each sum has its top bit set where the byte,
/// in lower case, is at least 'a', or above 'z'.
inline std::uint32_t ascii_letters(const char* bytes) noexcept {
    constexpr std::uint64_t kOnes = 0x0101010101010101U, kTop = 0x80 * kOnes;
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    const std::uint64_t lower = (word | (0x20 * kOnes)) & ~kTop;
    const std::uint64_t letters = (lower + (0x80 - 'a') * kOnes) & ~(lower + (0x7F - 'z') * kOnes) & ~word & kTop;
    return letters == kTop ? 8 : static_cast<std::uint32_t>(std::countr_one(letters | ~kTop)) / 8;
}

/// The end of the run of characters of one class that begins at `at`.
inline std::uint32_t class_run_end(std::string_view text, std::uint32_t at, std::uint32_t end, std::uint16_t kind) noexcept {
    if (kind == unicode::kLetter) {
        while (at + 8 <= end) {
            const std::uint32_t letters = ascii_letters(text.data() + at);
            at += letters;
            if (letters < 8) break;
        }
    }
    while (at < end) {
        const Character character = split_class_at(text, at);
        if (character.properties != kind) break;
        at += character.length;
    }
    return at;
}

/// The end of the match of \s+(?!\S)|\s+ at `at`: a run of spaces gives its last one to what follows.
inline std::uint32_t spaces_end(std::string_view text, std::uint32_t at, std::uint32_t end) noexcept {
    const std::uint32_t begin = at;
    std::uint32_t last = at;
    while (at < end) {
        const Character character = split_class_at(text, at);
        if (character.properties != unicode::kSpace) return last > begin ? last : at;
        last = at;
        at += character.length;
    }
    return at;
}

}  // namespace rag::core
