// Oniguruma's dialect (Ruby) to PCRE2's, with the classes of Hugging Face's Unicode version. What has no equal is refused.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "tokenizer/regex.hpp"

namespace rag::core {
namespace {

struct CategoryRange {
    char major, minor;
    std::uint32_t first, last;
};

#include "tokenizer/unicode/categories.inc"

// The 25 white characters; PCRE2's own \s has one more (U+180E).
constexpr std::string_view kWhiteRanges =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kNotWhiteRanges =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e})"
    R"(\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";

std::string category_ranges(std::string_view name) {
    std::string out = fmt::format("\\p{{{}}}", name);
    for (const CategoryRange& range : kNewerCategories) {
        if (range.major != name[0] || (name.size() == 2 && range.minor != name[1])) continue;
        out += fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", range.first, range.last);
    }
    return out;
}

class Translator {
  public:
    explicit Translator(std::string_view pattern) : pattern_(pattern) {}
    std::string run();

  private:
    void escape();
    void property(bool negated);
    void open_class();
    void group();
    void put_class(std::string_view ranges, bool negated);
    [[noreturn]] void refuse(std::string_view what) const {
        fail(Code::kUnsupported, "the pattern {} uses {} at offset {}, which is not supported", quote(pattern_), what, at_);
    }
    bool next_is(std::string_view text) const { return pattern_.substr(at_, text.size()) == text; }

    std::string_view pattern_;
    std::size_t at_ = 0;
    bool in_class_ = false;
    std::string out_;
};

std::string Translator::run() {
    while (at_ < pattern_.size()) {
        const char c = pattern_[at_];
        if (c == '\\') {
            escape();
        } else if (c == '[') {
            open_class();
        } else if (c == ']' && in_class_) {
            in_class_ = false;
            out_ += pattern_[at_++];
        } else if (in_class_ && next_is("&&")) {
            refuse("an intersection of classes");
        } else if (!in_class_ && next_is("(?")) {
            group();
        } else {
            out_ += pattern_[at_++];
        }
    }
    return std::move(out_);
}

void Translator::open_class() {
    if (in_class_) refuse("a class inside a class");
    in_class_ = true;
    out_ += pattern_[at_++];
    if (next_is("^")) out_ += pattern_[at_++];
    if (next_is("]")) refuse("an empty class");
}

// (?m is "dot matches all" in Ruby, which PCRE2 calls (?s.
void Translator::group() {
    out_ += "(?";
    at_ += 2;
    while (at_ < pattern_.size() && (pattern_[at_] == 'i' || pattern_[at_] == 'm' || pattern_[at_] == '-')) {
        out_ += pattern_[at_] == 'm' ? 's' : pattern_[at_];
        ++at_;
    }
    if (at_ < pattern_.size() && (pattern_[at_] == 'x' || pattern_[at_] == 's')) refuse("this option of a group");
}

void Translator::put_class(std::string_view ranges, bool negated) {
    if (!in_class_) {
        out_ += negated ? "[^" : "[";
        out_ += ranges;
        out_ += ']';
    } else if (negated) {
        refuse("a negated class inside a class");
    } else {
        out_ += ranges;
    }
}

void Translator::property(bool negated) {
    const std::size_t close = pattern_.find('}', at_);
    if (at_ >= pattern_.size() || pattern_[at_] != '{' || close == std::string_view::npos) refuse("a property without braces");
    std::string_view name = pattern_.substr(at_ + 1, close - at_ - 1);
    if (!name.empty() && name[0] == '^') {
        negated = !negated;
        name.remove_prefix(1);
    }
    at_ = close + 1;
    if (name.size() == 1 || name.size() == 2) {
        put_class(category_ranges(name), negated);
    } else {
        out_ += fmt::format("\\{}{{sc:{}}}", negated ? 'P' : 'p', name);  // by script, without script extensions
    }
}

void Translator::escape() {
    if (at_ + 1 >= pattern_.size()) refuse("a backslash at the end");
    const char c = pattern_[at_ + 1];
    at_ += 2;
    switch (c) {
        case 's':
            return put_class(kWhiteRanges, false);
        case 'S':
            return put_class(kNotWhiteRanges, false);
        case 'd':
            return put_class(category_ranges("Nd"), false);
        case 'D':
            return put_class(category_ranges("Nd"), true);
        case 'w':
        case 'W':
            return put_class(category_ranges("L") + category_ranges("M") + category_ranges("Nd") + category_ranges("Pc"),
                             c == 'W');
        case 'h':
            return put_class("0-9a-fA-F", false);
        case 'p':
        case 'P':
            return property(c == 'P');
        case 'u':
            if (at_ + 4 > pattern_.size()) refuse("a short \\u");
            out_ += fmt::format("\\x{{{}}}", pattern_.substr(at_, 4));
            at_ += 4;
            return;
        default:
            out_ += '\\';
            out_ += c;
    }
}

}  // namespace

std::string pcre2_pattern(std::string_view pattern) {
    return Translator(pattern).run();
}

}  // namespace rag::core
