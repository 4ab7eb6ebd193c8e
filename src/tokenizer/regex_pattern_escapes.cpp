// What stands for one character, or for none, outside of classes: literals, escapes, properties, anchors.
#include <algorithm>
#include <iterator>

#include "tokenizer/regex_translator.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

bool is_hex(char c) {
    return is_pattern_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

}  // namespace

// A set outside of classes is the same in caseless mode.
void PatternTranslator::set_atom(const CharSet& set, bool complemented) {
    const std::string expression = set.expression(complemented);
    atom(caseless_ ? "(?-i:" + expression + ")" : expression);
}

void PatternTranslator::literal(std::string_view character) {
    const char before = previous_literal_;
    if (character.size() == 1 && !is_pattern_letter(character[0]) && !is_pattern_digit(character[0])) {
        atom("\\" + std::string(character));
    } else {
        atom(character);
    }
    if (caseless_) caseless_literal(code_point_at(character, 0).value, before);
}

// Oniguruma lets a letter in caseless mode match a sequence (U+00DF and "ss"), which PCRE2 does not.
void PatternTranslator::caseless_literal(unsigned long code, char before) {
    if (code >= 0x80) refuse("a character outside ASCII without regard to case");
    const char c = static_cast<char>(code);
    const char lower = static_cast<char>(is_pattern_letter(c) ? c | 0x20 : c);
    static constexpr std::string_view kSequences[] = {"ss", "ff", "fi", "fl", "st"};
    const char pair[2] = {before, lower};
    if (std::find(std::begin(kSequences), std::end(kSequences), std::string_view(pair, 2)) != std::end(kSequences)) {
        refuse("letters that have a ligature without regard to case");
    }
    previous_literal_ = lower;
}

// The four or more hex digits behind \x or \u, or the octal ones behind \0.
unsigned long PatternTranslator::code_point() {
    const char kind = pattern_[at_ - 1];
    std::string digits;
    const auto read = [&](std::size_t most, unsigned base) {
        while (digits.size() < most && !at_end() &&
               (base == 16 ? is_hex(pattern_[at_]) : (pattern_[at_] >= '0' && pattern_[at_] < '8'))) {
            digits += pattern_[at_++];
        }
        return digits.empty() ? 0UL : std::stoul(digits, nullptr, static_cast<int>(base));
    };
    unsigned long value = 0;
    bool is_byte = false;
    if (kind == '0') {
        value = read(2, 8);
    } else if (kind == 'u') {
        value = read(4, 16);
        if (digits.size() != 4) refuse("a short \\u");
    } else if (next_is("{")) {
        ++at_;
        value = read(8, 16);
        if (digits.empty() || !next_is("}")) refuse("a \\x{..} that is not one code point");
        ++at_;
    } else {
        value = read(2, 16);
        if (digits.empty()) refuse("a short \\x");
        is_byte = value >= 0x80;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000) || is_byte) refuse("an escape that is no code point");
    return value;
}

CharSet PatternTranslator::property(bool negated, bool in_class, bool& complemented) {
    const std::size_t close = pattern_.find('}', at_);
    if (!next_is("{") || close == std::string_view::npos) refuse("a property without braces");
    std::string_view name = pattern_.substr(at_ + 1, close - at_ - 1);
    complemented = negated;
    if (name.starts_with('^')) {
        complemented = !complemented;
        name.remove_prefix(1);
    }
    const bool meant_negated = complemented;
    CharSet set;
    if (!property_set(name, set, complemented)) refuse(fmt::format("the property {}", quote(name, 40)));
    if (caseless_ && in_class && !fold_case(name, meant_negated, set)) refuse("a class of cased letters without regard to case");
    at_ = close + 1;
    return set;
}

void PatternTranslator::anchor_of_words(bool negated) {
    const std::string word = escape_set('w', false).expression(false);
    const auto boundary = negated ? "(?:(?<={0})(?={0})|(?<!{0})(?!{0}))" : "(?:(?<={0})(?!{0})|(?<!{0})(?={0}))";
    atom(fmt::format(fmt::runtime(boundary), word));
}

void PatternTranslator::escape() {
    if (at_ + 1 >= pattern_.size()) refuse("a backslash at the end");
    const char c = pattern_[at_ + 1];
    const std::size_t length = is_ascii(c) ? 1 : code_point_at(pattern_, at_ + 1).length;
    const std::size_t start = at_;
    at_ += 1 + length;
    const bool upper = c >= 'A' && c <= 'Z';
    bool complemented = false;
    switch (c) {
        case 's':
        case 'S':
        case 'd':
        case 'D':
        case 'w':
        case 'W':
        case 'h':
        case 'H':
            return set_atom(escape_set(static_cast<char>(c | 0x20), false), upper);
        case 'p':
        case 'P': {
            const CharSet set = property(upper, false, complemented);
            return set_atom(set, complemented);
        }
        case 'b':
        case 'B':
            return anchor_of_words(upper);
        case 'x':
        case 'u':
        case '0': {
            const char before = previous_literal_;
            const unsigned long code = code_point();
            atom(escaped_code_point(code));
            if (caseless_) caseless_literal(code, before);
            return;
        }
        case 'R':  // PCRE2's own is taken for one that no dot can go on from
            return atom(R"((?>\x{d}\x{a}|[\x{a}-\x{d}\x{85}\x{2028}\x{2029}]))");
        case 'v':
            return atom("\\x{b}");
        case 'A':
        case 'z':
        case 'Z':
        case 'K':
        case 'a':
        case 'e':
        case 'f':
        case 'n':
        case 'r':
        case 't':
            return atom(pattern_.substr(start, 2));
        default:
            break;
    }
    if (is_pattern_digit(c)) {
        if (kept_captures_) refuse("a reference behind a possessive repetition of a group, of which PCRE2 keeps what it gave up");
        if (named_ || c - '0' > captures_ || (!at_end() && is_pattern_digit(pattern_[at_]))) refuse("this reference to a group");
        // In its second turn Oniguruma sees a group that begins anew and still ends where it did, PCRE2 the one before.
        if (std::any_of(groups_.begin(), groups_.end(), [&](const Group& group) { return group.capture == c - '0'; })) {
            refuse("a reference to a group inside that group");
        }
        return atom(fmt::format("\\g{{{}}}", c));
    }
    if (is_pattern_letter(c)) {
        at_ = start;
        refuse(fmt::format("\\{}", c));
    }
    literal(pattern_.substr(start + 1, length));
}

}  // namespace rag::core
