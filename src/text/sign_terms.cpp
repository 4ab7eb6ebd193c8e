#include "text/sign_terms.hpp"

#include <unicode/uchar.h>

#include <algorithm>

#include "core/utf8.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMaxCodeBytes = 64;
constexpr std::size_t kMaxWideBytes = 3 * kMaxCodeBytes;  // of as many full-width characters
constexpr std::size_t kMaxNameBytes = 64;
constexpr char32_t kJoiner = 0x200D;

bool is_digit(char byte) noexcept {
    return byte >= '0' && byte <= '9';
}
bool is_letter(char byte) noexcept {
    const char small = static_cast<char>(byte | 32);
    return small >= 'a' && small <= 'z';
}
/// Also any byte of a character beyond ASCII.
bool is_wordlike(char byte) noexcept {
    return is_digit(byte) || is_letter(byte) || byte == '_' || static_cast<unsigned char>(byte) >= 0x80;
}

bool is_flag_letter(char32_t value) noexcept {
    return value >= 0x1F1E6 && value <= 0x1F1FF;
}
bool is_shade(char32_t value) noexcept {
    return value >= 0x1F3FB && value <= 0x1F3FF;
}

/// A character of ASCII, or what a full-width one (U+FF01 to U+FF5E) is the wide form of; value 0: another character's byte.
struct Narrow {
    char value = 0;
    std::size_t length = 1;
};
Narrow narrow_at(std::string_view text, std::size_t at) noexcept {
    const char byte = text[at];
    if (static_cast<unsigned char>(byte) < 0x80) return {byte, 1};
    if (byte != '\xef' || at + 2 >= text.size()) return {};
    const auto second = static_cast<unsigned char>(text[at + 1]);
    const auto third = static_cast<unsigned char>(text[at + 2]);
    // The block of two times 64: its first half ends with U+FF3F.
    if (second == 0xBC && third >= 0x81 && third <= 0xBF) return {static_cast<char>(third - 0x81 + '!'), 3};
    if (second == 0xBD && third >= 0x80 && third <= 0x9E) return {static_cast<char>(third - 0x80 + '`'), 3};
    return {};
}

bool is_narrow_or_wide(std::string_view word) noexcept {
    for (std::size_t at = 0; at < word.size();) {
        const Narrow one = narrow_at(word, at);
        if (one.value == 0) return false;
        at += one.length;
    }
    return true;
}

/// Bytes of the hyphen or slash at `at`; 0: there is none.
std::size_t joint_at(std::string_view text, std::size_t at, int rules) noexcept {
    if (at >= text.size()) return 0;
    if (text[at] == '-' || text[at] == '/') return 1;
    if (text[at] != '\xe2' && text[at] != '\xef') return 0;
    const std::string_view rest = text.substr(at, 3);
    if (rest == "\xe2\x80\x90" || rest == "\xe2\x80\x91") return 3;  // hyphen, non-breaking hyphen
    if (rules < 4) return 0;
    // Figure dash, en dash, minus, small and full-width hyphen: typesetters and Chinese keyboards write them in codes.
    const bool dash = rest == "\xe2\x80\x92" || rest == "\xe2\x80\x93" || rest == "\xe2\x88\x92" || rest == "\xef\xb9\xa3" ||
                      rest == "\xef\xbc\x8d";
    return dash || (rules >= 5 && rest == "\xef\xbc\x8f") ? 3 : 0;
}

bool can_be_part(std::string_view text, const Word& word, int rules) noexcept {
    if (word.kind != Word::kWord && word.kind != Word::kNumber) return false;
    return word.ascii || (rules >= 5 && is_narrow_or_wide(text.substr(word.start, word.end - word.start)));
}

/// What makes a code of joined words.
struct Marks {
    bool letters = false, digits = false, signs = false;
    std::size_t characters = 0;
};
Marks marks_of(std::string_view code) noexcept {
    Marks out;
    for (std::size_t at = 0; at < code.size(); ++out.characters) {
        const Narrow one = narrow_at(code, at);
        out.letters = out.letters || is_letter(one.value);
        out.digits = out.digits || is_digit(one.value);
        out.signs = out.signs || one.value == '_';
        at += one.value == 0 ? decode_utf8(code, at).length : one.length;
    }
    return out;
}

}  // namespace

bool is_pictograph(char32_t value) {
    if (value < 0x203C || value == 0x2122 || value == 0x2139 || value == 0x3030) return false;
    if (is_flag_letter(value)) return true;
    const auto point = static_cast<UChar32>(value);
    if (u_hasBinaryProperty(point, UCHAR_EXTENDED_PICTOGRAPHIC)) return !u_isalnum(point);
    return value >= 0x2600 && value <= 0x27BF && u_charType(point) == U_OTHER_SYMBOL;
}

void fold_pictograph(std::string_view segment, std::string& out) {
    out.clear();
    for (std::size_t at = 0; at < segment.size();) {
        const Utf8Step step = decode_utf8(segment, at);
        if (step.value != 0xFE0E && step.value != 0xFE0F && !is_shade(step.value)) out.append(segment.substr(at, step.length));
        at += step.length;
    }
    // What is cut in the middle ends with the sign that would join it to the rest.
    constexpr std::string_view kJoinerBytes = "\xe2\x80\x8d";
    while (out.ends_with(kJoinerBytes)) out.resize(out.size() - kJoinerBytes.size());
}

std::string_view first_of_pictographs(std::string_view folded) {
    for (std::size_t at = 0; at < folded.size();) {
        const Utf8Step step = decode_utf8(folded, at);
        if (step.value == kJoiner) return folded.substr(0, at);
        at += step.length;
    }
    return {};
}

std::size_t name_end(std::string_view text, std::size_t start, std::size_t end, int rules) noexcept {
    const auto at = [&](std::size_t i) { return i < text.size() ? text[i] : ' '; };
    std::size_t behind = end;
    if (at(end) == '+' && at(end + 1) == '+') behind = end + 2;
    if (at(end) == '#') behind = end + 1;
    if (behind == end || at(behind) == '+' || at(behind) == '#') return end;
    if (!is_wordlike(at(behind))) return behind;
    // "item#5" is no name, "C#12" is.
    const std::string_view word = text.substr(start, end - start);
    const bool numbered =
        rules >= 4 && is_digit(at(behind)) && std::ranges::all_of(word, is_letter) && (at(end) == '+' || word.size() == 1);
    return numbered ? behind : end;
}

std::size_t numbered_name(std::string_view text, std::size_t number) noexcept {
    const std::size_t signs = number == 0 || text[number - 1] == '#' ? 1 : 2;
    if (number <= signs || !is_digit(text[number])) return number;
    const std::size_t end = number - signs;
    std::size_t start = end;
    while (start > 0 && end - start < kMaxNameBytes && is_letter(text[start - 1])) --start;
    if (start == end || (start > 0 && is_wordlike(text[start - 1]))) return number;
    return name_end(text, start, end, 4) == number ? start : number;
}

bool has_dot(std::string_view text, std::size_t start) noexcept {
    if (start == 0 || text[start - 1] != '.') return false;
    return start == 1 ||
           (!is_wordlike(text[start - 2]) && text[start - 2] != '.' && text[start - 2] != ')' && text[start - 2] != ']');
}

JoinedWords find_joined(std::string_view text, std::span<const Word> words, int rules) noexcept {
    JoinedWords out;
    for (; out.count < words.size(); ++out.count) {
        const std::size_t end = words[out.count - 1].end;
        const std::size_t joint = joint_at(text, end, rules);
        if (joint == 0 || end + joint != words[out.count].start) break;
    }
    if (out.count == 1 && !words[0].joined) return out;
    const std::size_t start = words[0].start;
    const std::size_t end = words[out.count - 1].end;
    if (end - start > (rules >= 5 ? kMaxWideBytes : kMaxCodeBytes)) return out;
    for (const Word& word : words.first(out.count)) {
        if (!can_be_part(text, word, rules)) return out;
    }
    const Marks marks = marks_of(text.substr(start, end - start));
    out.is_code = marks.letters && marks.digits && (marks.signs || out.count > 1) && marks.characters <= kMaxCodeBytes;
    return out;
}

void fold_code(std::string_view code, std::string& out) {
    out.clear();
    for (std::size_t at = 0; at < code.size();) {
        const auto [byte, length] = narrow_at(code, at);
        at += length;
        if (is_letter(byte)) {
            out += static_cast<char>(byte | 32);
        } else if (is_digit(byte) || byte == '.') {
            out += byte;
        }
    }
}

}  // namespace rag::core
