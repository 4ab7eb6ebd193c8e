#include "text/fold.hpp"

#include <unicode/unorm2.h>
#include <unicode/utf16.h>

#include <array>
#include <vector>

#include "core/utf8.hpp"
#include "text/icu.hpp"

namespace rag::core {
namespace {

bool is_latin_block(char32_t value) noexcept {
    return (value >= 0xC0 && value < 0x250) || (value >= 0x1E00 && value < 0x1F00);
}
bool is_combining(char32_t value) noexcept {
    return value >= 0x300 && value < 0x370;
}

/// Letters with strokes and ligatures, which have no decomposition; empty: keep.
std::string_view plain_form(char32_t value) noexcept {
    switch (value) {
        case 0xE6:
            return "ae";
        case 0xF0:
            return "d";
        case 0xF8:
            return "o";
        case 0xFE:
            return "th";
        case 0x111:
            return "d";
        case 0x127:
            return "h";
        case 0x131:
            return "i";
        case 0x142:
            return "l";
        case 0x153:
            return "oe";
        case 0x167:
            return "t";
        default:
            return {};
    }
}

void append_without_accent(char32_t value, const UNormalizer2* decomposer, std::string& out) {
    if (const std::string_view plain = plain_form(value); !plain.empty()) {
        out += plain;
        return;
    }
    std::array<char16_t, 16> parts{};
    UErrorCode code = U_ZERO_ERROR;
    const std::int32_t size = unorm2_getDecomposition(decomposer, static_cast<UChar32>(value), parts.data(),
                                                      static_cast<std::int32_t>(parts.size()), &code);
    if (U_FAILURE(code) || size < 1) {
        append_utf8(out, value);
        return;
    }
    // Latin letters decompose to one base letter and marks, all of the basic plane.
    for (std::int32_t i = 0; i < size; ++i) {
        const char16_t unit = parts[static_cast<std::size_t>(i)];
        if (!is_combining(unit)) append_utf8(out, unit);
    }
}

}  // namespace

void fold_text(std::string_view utf8, bool strip_latin_accents, std::string& out) {
    out.clear();
    UErrorCode code = U_ZERO_ERROR;
    const UNormalizer2* folder = unorm2_getNFKCCasefoldInstance(&code);
    const UNormalizer2* decomposer = unorm2_getNFDInstance(&code);
    check_icu(code, "unorm2_getInstance");
    Utf16Text& source = utf16_buffer();
    source.assign(utf8);
    thread_local std::vector<char16_t> folded;
    folded.resize(source.units.size() * 2 + 32);
    std::int32_t size = unorm2_normalize(folder, source.units.data(), source.size(), folded.data(),
                                         static_cast<std::int32_t>(folded.size()), &code);
    if (code == U_BUFFER_OVERFLOW_ERROR) {
        code = U_ZERO_ERROR;
        folded.resize(static_cast<std::size_t>(size));
        size = unorm2_normalize(folder, source.units.data(), source.size(), folded.data(), size, &code);
    }
    check_icu(code, "unorm2_normalize");
    bool after_latin = false;
    for (std::int32_t i = 0; i < size;) {
        UChar32 value = 0;
        U16_NEXT(folded.data(), i, size, value);
        const auto point = static_cast<char32_t>(value);
        if (strip_latin_accents && is_latin_block(point)) {
            append_without_accent(point, decomposer, out);
            after_latin = true;
        } else if (!(strip_latin_accents && after_latin && is_combining(point))) {
            append_utf8(out, point);
            after_latin = point < 0x80;
        }
    }
}

}  // namespace rag::core
