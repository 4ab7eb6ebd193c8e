#include "tokenizer/regex_class.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include "core/error.hpp"

namespace rag::core {
namespace {

struct CategoryRange {
    char major, minor;
    std::uint32_t first, last;
};
struct NamedSet {
    const char* name;
    std::uint32_t begin, end;  // in kNamedRanges
};
struct CodeRange {
    std::uint32_t first, last;
};

#include "tokenizer/unicode/categories.inc"

// The 25 white characters; PCRE2's own \s has one more (U+180E).
constexpr std::string_view kWhite =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

struct LongName {
    std::string_view name, category;
};
constexpr LongName kLongNames[] = {
    {"letter", "L"},
    {"uppercaseletter", "Lu"},
    {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"},
    {"modifierletter", "Lm"},
    {"otherletter", "Lo"},
    {"mark", "M"},
    {"nonspacingmark", "Mn"},
    {"spacingmark", "Mc"},
    {"enclosingmark", "Me"},
    {"number", "N"},
    {"decimalnumber", "Nd"},
    {"letternumber", "Nl"},
    {"othernumber", "No"},
    {"punctuation", "P"},
    {"connectorpunctuation", "Pc"},
    {"dashpunctuation", "Pd"},
    {"openpunctuation", "Ps"},
    {"closepunctuation", "Pe"},
    {"initialpunctuation", "Pi"},
    {"finalpunctuation", "Pf"},
    {"otherpunctuation", "Po"},
    {"symbol", "S"},
    {"mathsymbol", "Sm"},
    {"currencysymbol", "Sc"},
    {"modifiersymbol", "Sk"},
    {"othersymbol", "So"},
    {"separator", "Z"},
    {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"},
    {"paragraphseparator", "Zp"},
    {"control", "Cc"},
    {"cntrl", "Cc"},
    {"format", "Cf"},
    {"privateuse", "Co"},
    {"other", "C"},
    {"unassigned", "Cn"},
};
constexpr std::string_view kCategories[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N", "Nd",
                                            "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm",
                                            "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "C", "Cn"};

void append_range(std::string& out, std::uint32_t first, std::uint32_t last) {
    out += first == last ? fmt::format("\\x{{{:x}}}", first) : fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", first, last);
}

bool is_in(const CategoryRange& range, std::string_view name) {
    return range.major == name[0] && (name.size() == 1 || range.minor == name[1]);
}

// A general category as the pinned Unicode version has it. PCRE2's own is right but for what came later, or what left it.
std::string category(std::string_view name) {
    std::string out;
    for (const CategoryRange& range : kRewrittenCategories) {
        if (name.size() == 2 && is_in(range, name)) append_range(out, range.first, range.last);
    }
    if (!out.empty()) return out;
    out = fmt::format("\\p{{{}}}", name);
    for (const CategoryRange& range : kNewerCategories) {
        if (is_in(range, name)) append_range(out, range.first, range.last);
    }
    return out;
}

std::string categories(std::initializer_list<std::string_view> names) {
    std::string out;
    for (const std::string_view name : names) out += category(name);
    return out;
}

std::string simplified(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c != ' ' && c != '-' && c != '_') out += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return out;
}

}  // namespace

void CharSet::add(const CharSet& other) {
    items += other.items;
    others.insert(others.end(), other.others.begin(), other.others.end());
    inverted = inverted || other.inverted;
    from_nul = from_nul || other.from_nul;
}

std::string CharSet::expression(bool negated) const {
    if (others.empty()) {
        if (items.empty()) return negated ? "(?s:.)" : "(?!)";
        return (negated ? "[^" : "[") + items + "]";
    }
    if (items.empty() && others.size() == 1) return negated ? complement(others[0]) : others[0];
    // Each of them is one character: there is nothing to try again, and to try took exponential time where they overlap.
    std::string out = "(?>";
    if (!items.empty()) out += "[" + items + "]|";
    for (const std::string& other : others) out += other + "|";
    out.back() = ')';
    return negated ? complement(out) : out;
}

std::string intersection(const std::vector<std::string>& sets) {
    std::string out = "(?:";
    for (std::size_t i = 0; i + 1 < sets.size(); ++i) out += "(?=" + sets[i] + ")";
    return out + sets.back() + ")";
}

std::string complement(const std::string& expression) {
    return "(?:(?!" + expression + ")(?s:.))";
}

CharSet escape_set(char letter, bool in_class) {
    switch (letter) {
        case 's':
            return {std::string(kWhite), {}};
        case 'd':
            return {category("Nd"), {}};
        case 'w': {
            CharSet set{categories({"L", "M", "Nd", "Pc"}), {}};
            for (const CodeRange& range : kOtherWordCharacters) {
                if (!in_class || range.first > 0xFF) append_range(set.items, range.first, range.last);
            }
            return set;
        }
        default:  // 'h'
            return {"0-9a-fA-F", {}};
    }
}

bool property_set(std::string_view name, CharSet& out, bool& negated) {
    const std::string plain = simplified(name);
    std::string_view wanted;
    for (const std::string_view known : kCategories) {
        if (simplified(known) == plain) wanted = known;
    }
    for (const LongName& known : kLongNames) {
        if (known.name == plain) wanted = known.category;
    }
    if (wanted == "C" || wanted == "Cn") {  // also what is not assigned: all but the rest
        negated = !negated;
        out.items += categories({"L", "M", "N", "P", "S", "Z"});
        if (wanted == "Cn") out.items += categories({"Cc", "Cf", "Co"});
        return true;
    }
    if (!wanted.empty()) {
        out.items += category(wanted);
        return true;
    }
    if (plain == "graph" || plain == "print") {  // all that is seen, and the space separators
        out.items += categories({"L", "M", "N", "P", "S", "Cf", "Co"});
        if (plain == "print") out.items += category("Zs");
        return true;
    }
    if (plain == "blank") {
        out.items += category("Zs") + "\\x{9}";
        return true;
    }
    if (plain == "space" || plain == "digit") {
        out.add(escape_set(plain[0], true));
        return true;
    }
    const auto found = std::lower_bound(std::begin(kNamedSets), std::end(kNamedSets), plain,
                                        [](const NamedSet& set, const std::string& text) { return set.name < text; });
    if (found == std::end(kNamedSets) || found->name != plain) return false;
    for (std::uint32_t i = found->begin; i < found->end; ++i)
        append_range(out.items, kNamedRanges[i].first, kNamedRanges[i].last);
    return true;
}

bool fold_case(std::string_view name, bool negated, CharSet& set) {
    static constexpr std::string_view kCased[] = {
        "lu",       "ll",        "lt",          "uppercaseletter", "lowercaseletter", "titlecaseletter", "upper",
        "lower",    "lowercase", "uppercase",   "adlam",           "armenian",        "cherokee",        "coptic",
        "cyrillic", "cyrl",      "deseret",     "georgian",        "glagolitic",      "greek",           "grek",
        "latin",    "latn",      "medefaidrin", "oldhungarian",    "osage",           "warangciti",      "common",
        "emoji",    "inherited"};
    const std::string plain = simplified(name);
    if (std::find(std::begin(kCased), std::end(kCased), plain) != std::end(kCased)) return false;
    // U+0345 is a mark, and its other cases are letters: the iotas.
    const bool letters = plain == "l" || plain == "letter";
    const bool marks = plain == "m" || plain == "mark";
    if (negated) return !letters && !marks && plain != "mn" && plain != "nonspacingmark";
    if (letters) set.items += "\\x{345}";
    if (marks) set.items += "\\x{399}\\x{3b9}\\x{1fbe}";
    return true;
}

bool posix_set(std::string_view name, CharSet& out) {
    static constexpr std::string_view kNames[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
                                                  "lower", "print", "punct", "space", "upper", "word",  "xdigit"};
    if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) return false;
    if (name == "word") {
        out.add(escape_set('w', true));
        return true;
    }
    if (name == "punct") {
        out.items += categories({"P", "S"});
        return true;
    }
    bool negated = false;
    return property_set(name, out, negated);
}

}  // namespace rag::core
