// Terms of lexical search that letters and digits alone do not tell: emoji and other pictures, the signs that belong to a name
// (C++, C#, .NET, C++17), and codes that are written with and without a sign between their parts (AB-123, AB123). For the
// analyzer, of whose rules they are as they were at each number.
// Thread rule: plain functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "text/words.hpp"

namespace rag::core {

/// Whether a segment that begins with this character is a picture: an emoji, a flag's letter, a sign of the blocks Miscellaneous
/// Symbols and Dingbats. Not the signs that texts are strewn with (copyright, trademark), and nothing below U+203C.
bool is_pictograph(char32_t value);

/// A picture as pictures are compared: without variation selectors and shades of skin. Replaces the content of `out`.
void fold_pictograph(std::string_view segment, std::string& out);
/// Of one that is joined of several (by U+200D), what the first of them is: a shrugging woman is also somebody who shrugs.
/// Of `folded`; empty where it is not joined.
std::string_view first_of_pictographs(std::string_view folded);

/// End of the signs behind the word [start, end) that are part of its name, as in "C++" and "C#"; `end` itself where there are
/// none. By rules 4 a number may follow, as in "C++17" and, behind a single letter, "C#12".
std::size_t name_end(std::string_view text, std::size_t start, std::size_t end, int rules) noexcept;
/// Start of the name whose number begins at `number`: of "C++17" where 17 begins; `number` itself where there is none.
std::size_t numbered_name(std::string_view text, std::size_t number) noexcept;
/// Whether the dot before a word is part of its name, as in ".NET"; not that of a sentence, a number or a host's name.
bool has_dot(std::string_view text, std::size_t start) noexcept;

/// Words that one hyphen or slash each joins; by rules 4 also a dash of the width of a number, an en dash or a minus; by rules 5
/// also a full-width slash.
struct JoinedWords {
    std::size_t count = 1;
    /// They hold letters and digits, of ASCII alone, at most 64 bytes; by rules 5 full-width ones too, at most 64 characters.
    bool is_code = false;
};
/// Those that begin with the first of `words`, of which there must be one. A code may be a single word: "AB_123".
JoinedWords find_joined(std::string_view text, std::span<const Word> words, int rules) noexcept;
/// The code without the signs between its parts, but with points, in small letters: "AB-123/4.5" is "ab1234.5", and so it is in
/// full width. Replaces the content of `out`.
void fold_code(std::string_view code, std::string& out);

}  // namespace rag::core
