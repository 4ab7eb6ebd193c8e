// Looking for one text in another in linear time, whatever the two are: std::string_view::find compares anew at each place, which
// takes the product of their lengths for "aaa..ab" in "aaa...". Knuth, Morris, Pratt, "Fast pattern matching in strings" (1977);
// what is short is left to the library, which compares many bytes at once. For texts and patterns that somebody else wrote.
// Pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace rag::core {

/// As text.find(part, from).
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from = 0);

/// As text.rfind(part).
std::size_t find_last_text(std::string_view text, std::string_view part);

}  // namespace rag::core
