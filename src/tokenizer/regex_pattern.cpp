#include "tokenizer/regex_pattern.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "tokenizer/regex_class.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

constexpr int kMaxDepth = 64;  // of classes in classes
constexpr std::size_t kNothing = static_cast<std::size_t>(-1);

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

class Translator {
  public:
    explicit Translator(std::string_view pattern) : pattern_(pattern) {}
    std::string run();

  private:
    struct Group {
        std::size_t start;      // in out_
        int options = 0;        // groups opened for options like (?i) that hold until the end of this one
        bool caseless = false;  // before this group
    };
    struct Quantifier {
        std::string text;  // as PCRE2 writes it
        bool counted;      // {..}, not one of * + ?
        bool exact;        // {n}
    };

    [[noreturn]] void refuse(std::string_view what) const {
        fail(Code::kUnsupported, "the pattern {} uses {} at offset {}, which is not supported", quote(pattern_), what, at_);
    }
    bool at_end() const { return at_ >= pattern_.size(); }
    bool next_is(std::string_view text) const { return pattern_.substr(at_, text.size()) == text; }
    std::string_view take(std::size_t count);

    void atom(std::string_view text);
    void set_atom(const CharSet& set, bool complemented);
    void literal(std::string_view character);
    void caseless_literal(unsigned long code, char before);
    void escape();
    void anchor_of_words(bool negated);
    unsigned long code_point();
    CharSet property(bool negated, bool in_class, bool& complemented);
    void open_group();
    void options();
    void close_group();
    bool read_quantifier(Quantifier& out);
    void quantify(const Quantifier& quantifier);
    std::string parse_class(int depth, CharSet* simple);
    void class_item(CharSet& set);
    bool class_escape(CharSet& set);
    std::string class_literal();

    std::string_view pattern_;
    std::size_t at_ = 0;
    std::string out_;
    std::vector<Group> groups_{{0}};
    std::size_t atom_ = kNothing;  // where in out_ begins what a quantifier would repeat
    bool quantified_ = false;      // there is a quantifier behind it
    bool caseless_ = false;
    char previous_literal_ = 0;  // right before, in caseless mode
    int captures_ = 0;
    bool named_ = false;
};

std::string_view Translator::take(std::size_t count) {
    if (pattern_.size() - at_ < count) refuse("an unfinished escape");
    const std::string_view text = pattern_.substr(at_, count);
    at_ += count;
    return text;
}

std::string Translator::run() {
    while (!at_end()) {
        const char c = pattern_[at_];
        Quantifier quantifier;
        if (c == '\\') {
            escape();
        } else if (c == '[') {
            ++at_;
            atom(parse_class(0, nullptr));
        } else if (c == '(') {
            open_group();
        } else if (c == ')') {
            close_group();
        } else if (c == '|') {
            out_ += c;
            ++at_;
            atom_ = kNothing;
            previous_literal_ = 0;
        } else if (c == '^' || c == '$' || c == '.') {
            ++at_;
            atom({&c, 1});
        } else if (read_quantifier(quantifier)) {
            quantify(quantifier);
        } else {
            literal(take(code_point_at(pattern_, at_).length));
        }
    }
    if (groups_.size() != 1) refuse("a group without its end");
    out_.append(static_cast<std::size_t>(groups_[0].options), ')');
    return std::move(out_);
}

void Translator::atom(std::string_view text) {
    atom_ = out_.size();
    quantified_ = false;
    previous_literal_ = 0;
    out_ += text;
}

// A set outside of classes is the same in caseless mode.
void Translator::set_atom(const CharSet& set, bool complemented) {
    const std::string expression = set.expression(complemented);
    atom(caseless_ ? "(?-i:" + expression + ")" : expression);
}

void Translator::literal(std::string_view character) {
    const char before = previous_literal_;
    if (character.size() == 1 && !is_letter(character[0]) && !is_digit(character[0])) {
        atom("\\" + std::string(character));
    } else {
        atom(character);
    }
    if (caseless_) caseless_literal(code_point_at(character, 0).value, before);
}

// Oniguruma lets a letter in caseless mode match a sequence (U+00DF and "ss"), which PCRE2 does not.
void Translator::caseless_literal(unsigned long code, char before) {
    if (code >= 0x80) refuse("a character outside ASCII without regard to case");
    const char c = static_cast<char>(code);
    const char lower = static_cast<char>(is_letter(c) ? c | 0x20 : c);
    static constexpr std::string_view kSequences[] = {"ss", "ff", "fi", "fl", "st"};
    const char pair[2] = {before, lower};
    if (std::find(std::begin(kSequences), std::end(kSequences), std::string_view(pair, 2)) != std::end(kSequences)) {
        refuse("letters that have a ligature without regard to case");
    }
    previous_literal_ = lower;
}

// The four or more hex digits behind \x or \u, or the octal ones behind \0.
unsigned long Translator::code_point() {
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

std::string escaped(unsigned long code) {
    return fmt::format("\\x{{{:x}}}", code);
}

CharSet Translator::property(bool negated, bool in_class, bool& complemented) {
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

void Translator::anchor_of_words(bool negated) {
    const std::string word = escape_set('w', false).expression(false);
    const auto boundary = negated ? "(?:(?<={0})(?={0})|(?<!{0})(?!{0}))" : "(?:(?<={0})(?!{0})|(?<!{0})(?={0}))";
    atom(fmt::format(fmt::runtime(boundary), word));
}

void Translator::escape() {
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
            atom(escaped(code));
            if (caseless_) caseless_literal(code, before);
            return;
        }
        case 'v':
            return atom("\\x{b}");
        case 'A':
        case 'z':
        case 'Z':
        case 'R':
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
    if (is_digit(c)) {
        if (named_ || c - '0' > captures_ || (!at_end() && is_digit(pattern_[at_]))) refuse("this reference to a group");
        return atom(fmt::format("\\g{{{}}}", c));
    }
    if (is_letter(c)) {
        at_ = start;
        refuse(fmt::format("\\{}", c));
    }
    literal(pattern_.substr(start + 1, length));
}

// (?i) and the like hold, and form a group, until the end of the group they are in. (?m is "dot matches all" in Ruby, which PCRE2
// calls (?s.
void Translator::options() {
    std::string letters;
    bool on = true;
    bool caseless = caseless_;
    for (; !at_end() && pattern_[at_] != ')' && pattern_[at_] != ':'; ++at_) {
        const char c = pattern_[at_];
        if (c != 'i' && c != 'm' && c != '-') refuse("this kind of group");
        if (c == '-') on = false;
        if (c == 'i') caseless = on;
        letters += c == 'm' ? 's' : c;
    }
    if (at_end()) refuse("a group without its end");
    const bool scoped = pattern_[at_++] == ':';
    if (scoped) {
        groups_.push_back({out_.size(), 0, caseless_});
    } else {
        ++groups_.back().options;
    }
    out_ += "(?" + letters + ":";
    caseless_ = caseless;
}

void Translator::open_group() {
    static constexpr std::string_view kOpenings[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    // Letters that (?:..) alone keeps apart are neighbours to Oniguruma.
    const bool plain = next_is("(?:") || next_is("(?>") || next_is("(?#");
    if (!plain) previous_literal_ = 0;
    atom_ = kNothing;
    if (next_is("(?#")) {
        const std::size_t close = pattern_.find(')', at_);
        if (close == std::string_view::npos) refuse("a comment without its end");
        at_ = close + 1;
        return;
    }
    for (const std::string_view opening : kOpenings) {
        if (!next_is(opening)) continue;
        groups_.push_back({out_.size(), 0, caseless_});
        out_ += take(opening.size());
        return;
    }
    if (next_is("(?<")) {
        const std::size_t close = pattern_.find('>', at_);
        if (close == std::string_view::npos) refuse("a name without its end");
        if (captures_ > 0 && !named_) refuse("groups with and without names");
        named_ = true;
        groups_.push_back({out_.size(), 0, caseless_});
        out_ += take(close + 1 - at_);
        return;
    }
    if (next_is("(?")) {
        at_ += 2;
        return options();
    }
    if (named_) refuse("groups with and without names");
    ++captures_;
    groups_.push_back({out_.size(), 0, caseless_});
    out_ += take(1);
}

void Translator::close_group() {
    if (groups_.size() == 1) refuse("the end of a group that never began");
    const Group group = groups_.back();
    groups_.pop_back();
    ++at_;
    out_.append(static_cast<std::size_t>(group.options) + 1, ')');
    if (caseless_ != group.caseless) previous_literal_ = 0;
    caseless_ = group.caseless;
    atom_ = group.start;
    quantified_ = false;
}

// Reads a quantifier if there is one; a brace that is none is a character.
bool Translator::read_quantifier(Quantifier& out) {
    const char c = pattern_[at_];
    if (c == '*' || c == '+' || c == '?') {
        ++at_;
        out = {std::string(1, c), false, false};
        return true;
    }
    if (c != '{') return false;
    std::size_t end = at_ + 1;
    const auto digits = [&] {
        const std::size_t begin = end;
        while (end < pattern_.size() && is_digit(pattern_[end])) ++end;
        return std::string(pattern_.substr(begin, end - begin));
    };
    const std::string low = digits();
    const bool comma = end < pattern_.size() && pattern_[end] == ',';
    if (comma) ++end;
    const std::string high = comma ? digits() : low;
    if (end >= pattern_.size() || pattern_[end] != '}' || (low.empty() && high.empty())) return false;
    at_ = end + 1;
    out = {fmt::format("{{{}{}{}}}", low.empty() ? "0" : low, comma ? "," : "", comma ? high : ""), true, !comma};
    return true;
}

void Translator::quantify(const Quantifier& quantifier) {
    if (atom_ == kNothing) refuse("a quantifier with nothing to repeat");
    if (quantified_) {  // repeats what is repeated already
        out_.insert(atom_, "(?:");
        out_ += ')';
    }
    out_ += quantifier.text;
    quantified_ = true;
    previous_literal_ = 0;
    // Behind {n} a ? means "or not at all", and behind any {..} a + is one more quantifier: both are read as such next.
    const bool lazy = next_is("?") && !quantifier.exact;
    const bool possessive = next_is("+") && !quantifier.counted;
    if (lazy || possessive) out_ += pattern_[at_++];
}

// One character of a class, with its escape.
std::string Translator::class_literal() {
    if (at_end()) refuse("a class without its end");
    if (pattern_[at_] != '\\') {
        const std::string_view text = take(code_point_at(pattern_, at_).length);
        if (caseless_ && text.size() > 1) refuse("a character outside ASCII without regard to case");
        return text.size() > 1 || is_letter(text[0]) || is_digit(text[0]) ? std::string(text) : "\\" + std::string(text);
    }
    const std::size_t start = at_++;
    if (at_end()) refuse("a backslash at the end");
    const char c = pattern_[at_];
    at_ += is_ascii(c) ? 1 : code_point_at(pattern_, at_).length;
    if (c == 'x' || c == 'u' || c == '0') {
        const unsigned long code = code_point();
        if (caseless_ && code >= 0x80) refuse("a character outside ASCII without regard to case");
        return escaped(code);
    }
    if (caseless_ && !is_ascii(c)) refuse("a character outside ASCII without regard to case");
    if (c == 'b') return "\\x{8}";
    if (c == 'v') return "\\x{b}";
    const bool known = c == 'a' || c == 'e' || c == 'f' || c == 'n' || c == 'r' || c == 't';
    if ((is_letter(c) && !known) || is_digit(c)) {
        at_ = start;
        refuse(fmt::format("\\{} in a class", c));
    }
    return is_ascii(c) ? std::string("\\") + c : std::string(pattern_.substr(start + 1, at_ - start - 1));
}

// \s, \p{..} and [:..:] in a class.
bool Translator::class_escape(CharSet& set) {
    const auto add = [&](const CharSet& other, bool negated) {
        if (negated) {
            set.others.push_back(other.expression(true));
        } else {
            set.add(other);
        }
        return true;
    };
    if (next_is("[:")) {
        const std::size_t close = pattern_.find(":]", at_);
        if (close == std::string_view::npos) return false;
        std::string_view name = pattern_.substr(at_ + 2, close - at_ - 2);
        const bool negated = name.starts_with('^');
        if (negated) name.remove_prefix(1);
        CharSet other;
        if (!posix_set(name, other)) refuse("this [:class:]");
        if (caseless_ && !fold_case(name, negated, other)) refuse("a class of cased letters without regard to case");
        at_ = close + 2;
        return add(other, negated);
    }
    if (!next_is("\\") || at_ + 1 >= pattern_.size()) return false;
    const char c = pattern_[at_ + 1];
    const char lower = static_cast<char>(is_letter(c) ? c | 0x20 : c);
    if (lower != 's' && lower != 'd' && lower != 'w' && lower != 'h' && lower != 'p') return false;
    at_ += 2;
    if (lower != 'p') return add(escape_set(lower, true), c != lower);
    bool complemented = false;
    const CharSet other = property(c == 'P', true, complemented);
    return add(other, complemented);
}

void Translator::class_item(CharSet& set) {
    if (class_escape(set)) return;
    set.items += class_literal();
    // A hyphen is one by itself at the end and behind a class; what Oniguruma takes it for before one is not known.
    if (!next_is("-") || next_is("-]") || next_is("-&&")) return;
    if (next_is("-[")) refuse("a range that ends in a class");
    ++at_;
    CharSet ignored;
    if (class_escape(ignored)) refuse("a range that ends in a class");
    set.items += "-" + class_literal();
}

// The class whose bracket was just read. When it is one set that can be joined to an outer one, it goes to `simple`, and the
// result is empty.
std::string Translator::parse_class(int depth, CharSet* simple) {
    if (depth > kMaxDepth) refuse("classes nested too deeply");
    const bool negated = next_is("^");
    if (negated) ++at_;
    if (next_is("]")) refuse("an empty class");
    std::vector<std::string> operands;
    CharSet set;
    while (!next_is("]")) {
        if (at_end()) refuse("a class without its end");
        if (next_is("&&")) {
            if (caseless_) refuse("an intersection without regard to case");
            at_ += 2;
            if (set.empty()) refuse("an intersection with nothing");
            operands.push_back(std::exchange(set, {}).expression(false));
        } else if (next_is("[") && !next_is("[:")) {
            ++at_;
            const std::string inner = parse_class(depth + 1, &set);
            if (inner.empty()) continue;
            if (caseless_) refuse("a complement in a class without regard to case");
            set.others.push_back(inner);
        } else {
            class_item(set);
        }
    }
    ++at_;
    if (operands.empty()) {
        if (negated || simple == nullptr) return set.expression(negated);
        simple->add(set);
        return {};
    }
    if (set.empty()) refuse("an intersection with nothing");
    operands.push_back(set.expression(false));
    return negated ? complement(intersection(operands)) : intersection(operands);
}

}  // namespace

std::string pcre2_pattern(std::string_view pattern) {
    return Translator(pattern).run();
}

}  // namespace rag::core
