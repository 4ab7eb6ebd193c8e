#include "tokenizer/chat_template/python_text.hpp"

#include <fmt/format.h>
#include <unicode/casemap.h>
#include <unicode/errorcode.h>
#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core::jinja {

namespace {

icu::UnicodeString to_icu(std::string_view text) {
    return icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

std::string from_icu(const icu::UnicodeString& text) {
    std::string out;
    text.toUTF8String(out);
    return out;
}

/// The full title case mapping of one code point.
void append_title(std::string& out, std::string_view character) {
    constexpr std::uint32_t kOptions = U_TITLECASE_WHOLE_STRING | U_TITLECASE_NO_LOWERCASE | U_TITLECASE_NO_BREAK_ADJUSTMENT;
    const icu::UnicodeString from = to_icu(character);
    icu::ErrorCode error;
    char16_t buffer[8];  // the longest mapping has three units
    const std::int32_t size =
        icu::CaseMap::toTitle("", kOptions, nullptr, from.getBuffer(), from.length(), buffer, 8, nullptr, error);
    if (error.isFailure()) fail(Code::kInternal, "ICU cannot make a title of {}: {}", quote(character), error.errorName());
    out += from_icu(icu::UnicodeString(buffer, size));
}

template <typename Visit>
void each_code_point(std::string_view text, const Visit& visit) {
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        visit(step.value, at, step.length);
        at += step.length;
    }
}

bool in_class(char32_t value, TextClass wanted) {
    const auto c = static_cast<UChar32>(value);
    const auto numeric = u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE);
    switch (wanted) {
        case TextClass::kAlpha:
            return u_isalpha(c) != 0;
        case TextClass::kDecimal:
            return numeric == U_NT_DECIMAL;
        case TextClass::kDigit:
            return numeric == U_NT_DECIMAL || numeric == U_NT_DIGIT;
        case TextClass::kNumeric:
            return numeric != U_NT_NONE;
        case TextClass::kAlnum:
            return u_isalpha(c) != 0 || numeric != U_NT_NONE;
        case TextClass::kSpace:
            return is_python_space(value);
        case TextClass::kLower:
            return u_hasBinaryProperty(c, UCHAR_LOWERCASE) != 0;
        case TextClass::kUpper:
            return u_hasBinaryProperty(c, UCHAR_UPPERCASE) != 0;
    }
    return false;
}

/// What repr() writes as it is.
bool prints(char32_t value) {
    return value == ' ' || (U_MASK(u_charType(static_cast<UChar32>(value))) & (U_GC_C_MASK | U_GC_Z_MASK)) == 0;
}

/// Whether the capital sigma at `at` ends a word, so that its small form is the final one: CPython's handle_capital_sigma.
bool is_final_sigma(std::string_view text, std::size_t at, std::size_t length) {
    const auto ignored = [](char32_t value) {
        return u_hasBinaryProperty(static_cast<UChar32>(value), UCHAR_CASE_IGNORABLE) != 0;
    };
    const auto cased = [](char32_t value) { return u_hasBinaryProperty(static_cast<UChar32>(value), UCHAR_CASED) != 0; };
    std::size_t begin = at;
    bool follows_cased = false;
    while (begin > 0 && !follows_cased) {
        do --begin;
        while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xc0U) == 0x80U);
        const char32_t value = decode_utf8(text, begin).value;
        if (ignored(value)) continue;
        if (!cased(value)) return false;
        follows_cased = true;
    }
    if (!follows_cased) return false;
    for (std::size_t end = at + length; end < text.size();) {
        const Utf8Step step = decode_utf8(text, end);
        if (!ignored(step.value)) return !cased(step.value);
        end += step.length;
    }
    return true;
}

/// The full lower case mapping of the code point at `at` in its text.
void append_lower(std::string& out, std::string_view text, std::size_t at, std::size_t length) {
    constexpr char32_t kSigma = 0x3a3;
    if (decode_utf8(text, at).value == kSigma) {
        append_utf8(out, is_final_sigma(text, at, length) ? char32_t{0x3c2} : char32_t{0x3c3});
    } else {
        out += lower(text.substr(at, length));
    }
}

bool is_cased(char32_t value) {
    const auto c = static_cast<UChar32>(value);
    return u_hasBinaryProperty(c, UCHAR_LOWERCASE) != 0 || u_hasBinaryProperty(c, UCHAR_UPPERCASE) != 0 || u_istitle(c) != 0;
}

}  // namespace

bool is_python_space(char32_t value) noexcept {
    return (value >= 0x09 && value <= 0x0d) || (value >= 0x1c && value <= 0x20) || value == 0x85 || value == 0xa0 ||
           value == 0x1680 || (value >= 0x2000 && value <= 0x200a) || value == 0x2028 || value == 0x2029 || value == 0x202f ||
           value == 0x205f || value == 0x3000;
}

std::string_view strip(std::string_view text, const std::string* characters, bool left, bool right) {
    const auto drop = [&](std::size_t at, const Utf8Step& step) {
        if (characters == nullptr) return is_python_space(step.value);
        return characters->find(text.substr(at, step.length)) != std::string::npos;
    };
    std::size_t begin = 0;
    std::size_t end = text.size();
    while (left && begin < end) {
        const Utf8Step step = decode_utf8(text, begin);
        if (!drop(begin, step)) break;
        begin += step.length;
    }
    while (right && end > begin) {
        std::size_t at = end - 1;
        while (at > begin && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U) --at;
        if (!drop(at, decode_utf8(text, at))) break;
        end = at;
    }
    return text.substr(begin, end - begin);
}

std::string upper(std::string_view text) {
    return from_icu(to_icu(text).toUpper(icu::Locale::getRoot()));
}
std::string lower(std::string_view text) {
    return from_icu(to_icu(text).toLower(icu::Locale::getRoot()));
}
std::string casefold(std::string_view text) {
    return from_icu(to_icu(text).foldCase(U_FOLD_CASE_DEFAULT));
}

std::string capitalize(std::string_view text) {
    if (text.empty()) return {};
    const Utf8Step first = decode_utf8(text, 0);
    std::string out;
    append_title(out, text.substr(0, first.length));
    // Lowered together with the first character, because a final sigma looks back at what stands before it.
    const std::string whole = lower(text);
    const std::string head = lower(text.substr(0, first.length));
    return out + whole.substr(std::min(head.size(), whole.size()));
}

std::string title(std::string_view text) {
    std::string out;
    bool after_cased = false;
    each_code_point(text, [&](char32_t value, std::size_t at, std::uint32_t length) {
        if (after_cased) {
            append_lower(out, text, at, length);
        } else {
            append_title(out, text.substr(at, length));
        }
        after_cased = is_cased(value);
    });
    return out;
}

std::string title_filter(std::string_view text) {
    std::string out;
    std::size_t begin = 0;
    const auto finish = [&](std::size_t end) {
        if (begin == end) return;
        const Utf8Step first = decode_utf8(text, begin);
        out += upper(text.substr(begin, first.length)) + lower(text.substr(begin + first.length, end - begin - first.length));
        begin = end;
    };
    bool in_separator = false;
    each_code_point(text, [&](char32_t value, std::size_t at, std::uint32_t) {
        const bool separator =
            is_python_space(value) ||
            (value < 0x80 && std::string_view("-({[<").find(static_cast<char>(value)) != std::string_view::npos);
        if (separator != in_separator) finish(at);
        in_separator = separator;
    });
    finish(text.size());
    return out;
}

std::string swap_case(std::string_view text) {
    std::string out;
    each_code_point(text, [&](char32_t value, std::size_t at, std::uint32_t length) {
        if (in_class(value, TextClass::kUpper)) {
            append_lower(out, text, at, length);
        } else {
            out += in_class(value, TextClass::kLower) ? upper(text.substr(at, length)) : std::string(text.substr(at, length));
        }
    });
    return out;
}

bool is_class(std::string_view text, TextClass wanted) {
    bool all = !text.empty();
    bool any_cased = false;
    each_code_point(text, [&](char32_t value, std::size_t, std::uint32_t) {
        if (wanted == TextClass::kLower || wanted == TextClass::kUpper) {
            if (!is_cased(value)) return;
            any_cased = true;
        }
        if (!in_class(value, wanted)) all = false;
    });
    return all && (any_cased || (wanted != TextClass::kLower && wanted != TextClass::kUpper));
}

bool is_title(std::string_view text) {
    bool any = false;
    bool right = true;
    bool after_cased = false;
    each_code_point(text, [&](char32_t value, std::size_t, std::uint32_t) {
        const bool lower_case = in_class(value, TextClass::kLower);
        const bool cased = is_cased(value);
        if (cased && after_cased != lower_case) right = false;
        any = any || cased;
        after_cased = cased;
    });
    return any && right;
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80U) == 0; });
}

bool is_printable(std::string_view text) {
    bool all = true;
    each_code_point(text, [&](char32_t value, std::size_t, std::uint32_t) { all = all && prints(value); });
    return all;
}

bool is_identifier(std::string_view text) {
    bool all = !text.empty();
    each_code_point(text, [&](char32_t value, std::size_t at, std::uint32_t) {
        const auto property = at == 0 ? UCHAR_XID_START : UCHAR_XID_CONTINUE;
        all = all && (value == '_' || u_hasBinaryProperty(static_cast<UChar32>(value), property) != 0);
    });
    return all;
}

std::string expand_tabs(std::string_view text, std::int64_t size) {
    std::string out;
    std::int64_t column = 0;
    each_code_point(text, [&](char32_t value, std::size_t at, std::uint32_t length) {
        if (value == '\t') {
            const std::int64_t missing = size > 0 ? size - column % size : 0;
            out.append(static_cast<std::size_t>(missing), ' ');
            column += missing;
        } else {
            out.append(text.substr(at, length));
            column = value == '\n' || value == '\r' ? 0 : column + 1;
        }
    });
    return out;
}

std::vector<std::size_t> code_point_offsets(std::string_view text) {
    std::vector<std::size_t> out;
    out.reserve(text.size() + 1);
    each_code_point(text, [&](char32_t, std::size_t at, std::uint32_t) { out.push_back(at); });
    out.push_back(text.size());
    return out;
}

std::string first_code_points(std::string_view text, std::size_t count) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < count && at < text.size(); ++i) at += decode_utf8(text, at).length;
    return std::string(text.substr(0, at));
}

std::string repr(std::string_view text) {
    const bool single = text.find('\'') == std::string_view::npos || text.find('"') != std::string_view::npos;
    const char quote_mark = single ? '\'' : '"';
    std::string out(1, quote_mark);
    each_code_point(text, [&](char32_t value, std::size_t at, std::uint32_t length) {
        const auto code = static_cast<std::uint32_t>(value);
        if (value == static_cast<char32_t>(quote_mark) || value == '\\') {
            out += '\\';
            out += static_cast<char>(value);
        } else if (value == '\n' || value == '\r' || value == '\t') {
            out += value == '\n' ? "\\n" : value == '\r' ? "\\r" : "\\t";
        } else if (prints(value)) {
            out.append(text.substr(at, length));
        } else {
            out += code < 0x100     ? fmt::format("\\x{:02x}", code)
                   : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                                    : fmt::format("\\U{:08x}", code);
        }
    });
    return out + quote_mark;
}

}  // namespace rag::core::jinja
