// Classes: brackets in brackets, intersections, complements, [:names:].
#include <string>
#include <utility>

#include "tokenizer/regex_translator.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {
constexpr int kMaxDepth = 64;  // of classes in classes

bool is_nul(std::string_view literal) {
    return literal == "\\x{0}" || literal.back() == '\0';
}
bool is_beyond_ascii(const std::string& literal) {
    return !is_ascii(literal[0]) || (literal.starts_with("\\x{") && std::stoul(literal.substr(3), nullptr, 16) > 0x7F);
}
}  // namespace

// One character of a class, with its escape.
std::string PatternTranslator::class_literal() {
    if (at_end()) refuse("a class without its end");
    if (pattern_[at_] != '\\') {
        const std::string_view text = take(code_point_at(pattern_, at_).length);
        if (caseless_ && text.size() > 1) refuse("a character outside ASCII without regard to case");
        return text.size() > 1 || is_pattern_letter(text[0]) || is_pattern_digit(text[0]) ? std::string(text)
                                                                                          : "\\" + std::string(text);
    }
    const std::size_t start = at_++;
    if (at_end()) refuse("a backslash at the end");
    const char c = pattern_[at_];
    at_ += is_ascii(c) ? 1 : code_point_at(pattern_, at_).length;
    if (c == 'x' || c == 'u' || c == '0') {
        const unsigned long code = code_point();
        if (caseless_ && code >= 0x80) refuse("a character outside ASCII without regard to case");
        return escaped_code_point(code);
    }
    if (caseless_ && !is_ascii(c)) refuse("a character outside ASCII without regard to case");
    if (c == 'b') return "\\x{8}";
    if (c == 'v') return "\\x{b}";
    const bool known = c == 'a' || c == 'e' || c == 'f' || c == 'n' || c == 'r' || c == 't';
    if ((is_pattern_letter(c) && !known) || is_pattern_digit(c)) {
        at_ = start;
        refuse(fmt::format("\\{} in a class", c));
    }
    return is_ascii(c) ? std::string("\\") + c : std::string(pattern_.substr(start + 1, at_ - start - 1));
}

// \s, \p{..} and [:..:] in a class.
bool PatternTranslator::class_escape(CharSet& set) {
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
        if (negated && name == "ascii") refuse("[:^ascii:], which Oniguruma loses in some classes");
        if (caseless_ && !fold_case(name, negated, other)) refuse("a class of cased letters without regard to case");
        at_ = close + 2;
        return add(other, negated);
    }
    if (!next_is("\\") || at_ + 1 >= pattern_.size()) return false;
    const char c = pattern_[at_ + 1];
    const char lower = static_cast<char>(is_pattern_letter(c) ? c | 0x20 : c);
    if (lower != 's' && lower != 'd' && lower != 'w' && lower != 'h' && lower != 'p') return false;
    at_ += 2;
    if (lower != 'p') return add(escape_set(lower, true), c != lower);
    bool complemented = false;
    const CharSet other = property(c == 'P', true, complemented);
    return add(other, complemented);
}

void PatternTranslator::class_item(CharSet& set) {
    if (class_escape(set)) return;
    const std::string first = class_literal();
    set.items += first;
    // A hyphen is one by itself at the end and behind a class; what Oniguruma takes it for before one is not known.
    if (!next_is("-") || next_is("-]") || next_is("-&&")) return;
    if (next_is("-[")) refuse("a range that ends in a class");
    ++at_;
    CharSet ignored;
    if (class_escape(ignored)) refuse("a range that ends in a class");
    const std::string last = class_literal();
    set.items += "-" + last;
    set.from_nul = set.from_nul || (is_nul(first) && is_beyond_ascii(last));
}

// The class whose bracket was just read. When it is one set that can be joined to an outer one, it goes to `simple`, and the
// result is empty. What Oniguruma may take for something else is refused, or goes to checks_.
std::string PatternTranslator::parse_class(int depth, CharSet* simple) {
    if (depth > kMaxDepth) refuse("classes nested too deeply");
    const bool negated = next_is("^");
    if (negated) ++at_;
    if (next_is("]")) refuse("an empty class");
    std::vector<std::string> operands;
    CharSet set;
    bool inverted = false, from_nul = false;  // of all operands
    const auto close_operand = [&] {
        if (set.empty()) refuse("an intersection with nothing");
        inverted = inverted || set.inverted;
        from_nul = from_nul || set.from_nul;
        operands.push_back(std::exchange(set, {}).expression(false));
    };
    while (!next_is("]")) {
        if (at_end()) refuse("a class without its end");
        if (next_is("&&")) {
            if (caseless_) refuse("an intersection without regard to case");
            at_ += 2;
            close_operand();
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
    if (operands.empty() && !negated && simple != nullptr) {
        simple->add(set);
        return {};
    }
    const CharSet last = set;
    close_operand();
    if (from_nul && (inverted || (negated && simple != nullptr))) {
        refuse("a range from U+0000 to a character outside ASCII, and a negated class in a class");
    }
    if (negated && inverted) checks_.push_back({ClassCheck::Kind::kInverted, intersection(operands), at_});
    if (caseless_ && !negated && simple == nullptr) {
        checks_.push_back({ClassCheck::Kind::kCaseless, last.expression(false), at_});  // without intersections: see above
    }
    if (simple != nullptr) {
        simple->inverted = simple->inverted || inverted || negated;
        simple->from_nul = simple->from_nul || from_nul;
    }
    if (operands.size() == 1) return last.expression(negated);
    return negated ? complement(intersection(operands)) : intersection(operands);
}

}  // namespace rag::core
