// Extended grapheme clusters (Unicode Standard Annex 29, rules GB3 to GB13) on tables made by scripts/make_unicode_tables.py from
// Hugging Face tokenizers. Only the normalizer Precompiled looks at them. Pure functions on constant tables: any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace rag::core::unicode {

/// The order is that of GRAPHEME_CLASSES in the script.
enum class GraphemeClass : std::uint8_t {
    kOther,
    kControl,
    kCr,
    kLf,
    kExtend,
    kLinker,     // an Extend that links consonants of Indic scripts
    kNonJoiner,  // an Extend that ends such a link
    kJoiner,
    kSpacingMark,
    kPrepend,
    kHangulL,
    kHangulV,
    kHangulT,
    kHangulLv,
    kHangulLvt,
    kPictographic,
    kConsonant,  // of an Indic script
    kRegionalIndicator,
};

namespace detail {
extern const std::uint16_t kGraphemeStage1[];
extern const std::uint8_t kGraphemeStage2[];
}  // namespace detail

inline GraphemeClass grapheme_class(char32_t value) noexcept {
    const std::uint32_t block = detail::kGraphemeStage1[value >> 7];
    return static_cast<GraphemeClass>(detail::kGraphemeStage2[(block << 7) | (value & 127)]);
}

/// The end of the cluster that begins at byte `at` of well-formed `text`, where there is a character.
std::uint32_t grapheme_end(std::string_view text, std::uint32_t at) noexcept;

}  // namespace rag::core::unicode
