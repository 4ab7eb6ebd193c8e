// Sets of characters for translated patterns: what stands for one character of a pattern, as PCRE2 source. A set is a union of
// items that fit into one bracket and of whole expressions that each match one character (complements and intersections).
// Values; pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

struct CharSet {
    std::string items;                // inside of a PCRE2 class
    std::vector<std::string> others;  // expressions that match one character
    bool inverted = false;            // there is a negated class in brackets among them
    bool from_nul = false;            // there is a range from U+0000 to a character outside ASCII

    bool empty() const noexcept { return items.empty() && others.empty(); }
    void add(const CharSet& other);
    /// An expression that matches one character of the set, or one outside it.
    std::string expression(bool negated) const;
};

/// Both as expressions: one character that is in all of `sets` (at least one).
std::string intersection(const std::vector<std::string>& sets);
/// One character that `expression`, which matches one, does not match.
std::string complement(const std::string& expression);

/// \s, \d, \w, \h by letter. Outside of classes Oniguruma counts a few more characters of Latin-1 among \w.
CharSet escape_set(char letter, bool in_class);
/// \p{name} as Oniguruma reads names: case, spaces, hyphens and underscores do not count. False: not known. `negated` is turned
/// around where the complement is easier to say.
bool property_set(std::string_view name, CharSet& out, bool& negated);
/// [:name:] of POSIX. False: not known.
bool posix_set(std::string_view name, CharSet& out);
/// Adds to a set of this name, which stands in a class, what it has in caseless mode. False: it, or the complement of it that is
/// meant by `negated`, has letters of whose other cases PCRE2 and Oniguruma do not know the same, or that are sequences.
bool fold_case(std::string_view name, bool negated, CharSet& set);

}  // namespace rag::core
