// What a code point is, exactly as Hugging Face tokenizers sees it: tables made by scripts/make_unicode_tables.py from that
// package, so that neither the host's ICU nor its PCRE2 changes an id. For the stages of the tokenizer; search uses ICU.
// Pure functions on constant tables: any thread.
#pragma once

#include <cstdint>
#include <span>

namespace rag::core::unicode {

/// Bits of properties(). Rust's char methods and Oniguruma's classes differ in Unicode version, so each has its own bit.
enum Property : std::uint16_t {
    kLetter = 1U << 0,          // \p{L} of split patterns
    kNumber = 1U << 1,          // \p{N} of split patterns
    kSpace = 1U << 2,           // \s of split patterns
    kWhite = 1U << 3,           // white space
    kNumeric = 1U << 4,         // what Digits cuts
    kControl = 1U << 5,         // what BertNormalizer's clean_text removes
    kMarkNonspacing = 1U << 6,  // what BertNormalizer's strip_accents removes after NFD
    kMark = 1U << 7,            // what StripAccents removes
    kPunctuation = 1U << 8,     // what BertPreTokenizer isolates
    kCjk = 1U << 9,             // what BertNormalizer puts spaces around
    kWord = 1U << 10,           // \w, for single_word
    kHasLower = 1U << 11,
    kHasNfd = 1U << 12,
    kHasNfkd = 1U << 13,
    kHasCombiningClass = 1U << 14,
};

namespace detail {
inline constexpr unsigned kBlockBits = 7;
extern const std::uint16_t kClassFlags[];
extern const std::uint16_t kStage1[];
extern const std::uint8_t kStage2[];
}  // namespace detail

/// Bits of a code point (at most U+10FFFF). In the header because every stage asks it for every character.
inline std::uint16_t properties(char32_t value) noexcept {
    const std::uint32_t block = detail::kStage1[value >> detail::kBlockBits];
    const std::uint32_t within = value & ((1U << detail::kBlockBits) - 1);
    return detail::kClassFlags[detail::kStage2[(block << detail::kBlockBits) | within]];
}

/// Lower case, one to three code points; valid until the process ends. Empty: the code point is its own lower case.
std::span<const std::uint32_t> lower_case(char32_t value) noexcept;
/// Full decomposition without Hangul, which follows by arithmetic (Unicode 15, 3.12). Empty: decomposes to itself.
std::span<const std::uint32_t> decomposition(char32_t value, bool compatible) noexcept;
/// Canonical combining class, 0 for starters.
std::uint8_t combining_class(char32_t value) noexcept;
/// All pairs that have a primary composite, but those of Hangul: the first code point above 32 bits, the second below.
std::span<const std::uint64_t> composition_pairs() noexcept;
/// The primary composite of a pair, Hangul included; 0 if there is none.
char32_t compose(char32_t first, char32_t second) noexcept;

// Hangul syllables, Unicode 15, 3.12.
inline constexpr char32_t kHangulBase = 0xAC00, kHangulL = 0x1100, kHangulV = 0x1161, kHangulT = 0x11A7;
inline constexpr char32_t kHangulLCount = 19, kHangulVCount = 21, kHangulTCount = 28, kHangulCount = 11172;

}  // namespace rag::core::unicode
