#include "text/chunkers/definition.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "text/chunkers/lines.hpp"
#include "text/chunkers/outline.hpp"

namespace rag::core {
namespace {

using Words = std::vector<std::string_view>;

bool is_name_byte(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || (c & 0x80) != 0;
}

/// Names (with :: and ~ between and before them) and single signs; "=>" and "<-" are words too.
Words words_of(std::string_view head) {
    Words words;
    for (std::size_t at = 0; at < head.size();) {
        if (is_blank_byte(head[at]) || head[at] == '\n') {
            ++at;
            continue;
        }
        std::size_t end = at;
        for (;;) {
            if (end < head.size() && head[end] == '~') ++end;
            while (end < head.size() && is_name_byte(head[end])) ++end;
            if (end == at || !head.substr(end).starts_with("::")) break;
            end += 2;
        }
        const std::string_view two = head.substr(at, 2);
        if (end == at) end = at + (two == "=>" || two == "<-" ? 2 : 1);
        words.push_back(head.substr(at, end - at));
        at = end;
    }
    return words;
}

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& list) noexcept {
    return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_name(std::string_view word) noexcept {
    return is_name_byte(word.front()) || word.front() == '~';
}

std::string name_text(std::string_view word) {
    return std::string(cut_text(word, kMaxHeadingBytes));
}

constexpr std::array<std::string_view, 14> kContainers = {"class",     "struct",    "interface", "enum",   "union",
                                                          "trait",     "namespace", "module",    "record", "object",
                                                          "extension", "protocol",  "mod",       "package"};
constexpr std::array<std::string_view, 18> kControl = {"if",   "for",  "while",  "switch",       "catch", "do",
                                                       "else", "try",  "return", "sizeof",       "match", "select",
                                                       "when", "with", "using",  "synchronized", "lock",  "unless"};

/// "impl<T> Trait for Type where ..." of Rust.
Definition implementation(const Words& words, std::size_t at) {
    Definition out{Definition::kContainer, "impl"};
    std::size_t angles = 0;
    for (++at; at < words.size() && words[at] != "where"; ++at) {
        if (words[at] == "<") ++angles;
        if (angles == 0 && is_name(words[at])) out.name.append(" ").append(words[at]);
        if (words[at] == ">" && angles > 0) --angles;
    }
    out.name = name_text(out.name);
    return out;
}

Definition container(const Words& words, std::size_t at) {
    Definition out{Definition::kContainer, {}};
    // "enum class Name", "class EXPORT Name : Base", "class Name extends Base", "class Name<T>".
    for (++at; at < words.size() && is_name(words[at]); ++at) {
        if (words[at] == "extends" || words[at] == "implements" || words[at] == "final") break;
        if (!is_one_of(words[at], kContainers)) out.name = name_text(words[at]);
    }
    return out;
}

/// Name before the brackets of the parameters, wherever those are.
Definition function(const Words& words) {
    std::size_t open = static_cast<std::size_t>(std::find(words.begin(), words.end(), "(") - words.begin());
    const bool go_method = open == 1 && words[0] == "func";  // func (receiver Type) Name(...)
    if (go_method) {
        const auto close = std::find(words.begin(), words.end(), ")");
        open = static_cast<std::size_t>(std::find(close, words.end(), "(") - words.begin());
    }
    if (open >= words.size() || open == 0) return {};
    std::size_t at = open - 1;
    if (words[at] == ">") {  // name<T>(...)
        std::size_t angles = 0;
        do {
            if (words[at] == ">") ++angles;
            if (words[at] == "<") --angles;
        } while (angles > 0 && at-- > 0);
        if (at == 0 || at >= words.size()) return {};
        --at;
    }
    if (!is_name(words[at]) || is_one_of(words[at], kControl)) return {};
    return {Definition::kFunction, name_text(words[at])};
}

/// "const name = (a, b) => {", "name = function(a) {", "name <- function(a) {", "name: function() {".
Definition assigned_function(const Words& words, std::size_t sign) {
    const bool arrow = std::find(words.begin(), words.end(), "=>") != words.end();
    const bool keyword = std::find(words.begin() + static_cast<std::ptrdiff_t>(sign), words.end(), "function") != words.end();
    if (sign == 0 || !is_name(words[sign - 1]) || (!arrow && !keyword)) return {};
    return {Definition::kFunction, name_text(words[sign - 1])};
}

constexpr std::array<std::string_view, 6> kOpenEnds = {"=", "(", ",", "[", "return", "&"};

void drop_template(Words& words) {
    while (words.size() > 1 && words[0] == "template" && words[1] == "<") {
        std::size_t angles = 0;
        std::size_t at = 1;
        for (; at < words.size(); ++at) {
            if (words[at] == "<") ++angles;
            if (words[at] == ">" && --angles == 0) break;
        }
        words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(std::min(at + 1, words.size())));
    }
}

/// "Name(int a) : a_" and "Name(int a) : base(a), a_": what follows is the value of a member.
bool is_member_initializer(const Words& words) {
    if (words.size() < 5 || !is_name(words.back())) return false;
    const std::string_view before = words[words.size() - 2];
    if (before != ":" && before != ",") return false;
    const auto colon = std::find(words.begin(), words.end(), ":");
    return colon != words.begin() && colon != words.end() && *(colon - 1) != "?" && std::find(words.begin(), colon, ")") != colon;
}

/// The first of the words outside brackets; words.size() if there is none.
template <std::size_t N>
std::size_t outside_brackets(const Words& words, const std::array<std::string_view, N>& list) {
    std::size_t depth = 0;
    for (std::size_t at = 0; at < words.size(); ++at) {
        if (words[at] == "(" || words[at] == "[") ++depth;
        if ((words[at] == ")" || words[at] == "]") && depth > 0) --depth;
        if (depth == 0 && is_one_of(words[at], list)) return at;
    }
    return words.size();
}

}  // namespace

Definition definition_of(std::string_view head) {
    if (head.size() > kMaxDefinitionBytes) return {};
    Words words = words_of(head);
    drop_template(words);
    if (words.empty() || is_one_of(words[0], kControl) || is_one_of(words.back(), kOpenEnds)) return {};
    if (words[0] == "extern" && words.size() == 1) return {Definition::kContainer, {}};
    const std::size_t round = outside_brackets(words, std::array<std::string_view, 1>{"("});
    const std::size_t kind = outside_brackets(words, kContainers);
    const std::size_t impl = outside_brackets(words, std::array<std::string_view, 1>{"impl"});
    if (impl < std::min(kind, round)) return implementation(words, impl);
    const std::size_t sign = outside_brackets(words, std::array<std::string_view, 2>{"=", "<-"});
    if (sign < words.size() && sign < round && sign < kind) return assigned_function(words, sign);
    if (words[0] == "type" && kind == 2) return {Definition::kContainer, name_text(words[1])};  // type Name struct, of Go
    // "struct Point origin() {" is a function, "class Queue(size: Int) {" of Kotlin and Scala is a class.
    const bool returns_struct = kind < words.size() && words[kind] == "struct" && round < words.size() && round > kind + 2;
    if (kind < round && !returns_struct) return container(words, kind);
    if (words[0] == "sub" && words.size() > 1) return {Definition::kFunction, name_text(words[1])};
    if (words[0] == "function" && words.size() > 1 && is_name(words[1])) return {Definition::kFunction, name_text(words[1])};
    if (is_member_initializer(words)) return {Definition::kInitializer, {}};
    return function(words);
}

}  // namespace rag::core
