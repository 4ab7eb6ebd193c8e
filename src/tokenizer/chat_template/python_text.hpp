// Python's str methods over UTF-8: what they do to code points, without Python. Case mapping and character classes come from ICU
// (full mappings, untailored), white space is Python's own list. All text is well-formed UTF-8. Stateless; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core::jinja {

bool is_python_space(char32_t value) noexcept;

/// str.strip and its halves; `characters` null: white space.
std::string_view strip(std::string_view text, const std::string* characters, bool left, bool right);

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string casefold(std::string_view text);
/// str.capitalize: first code point in title case, the rest in lower case.
std::string capitalize(std::string_view text);
/// str.title: a code point after an uncased one in title case, all others in lower case.
std::string title(std::string_view text);
/// Jinja's filter `title`: parts after white space and -({[< begin in upper case.
std::string title_filter(std::string_view text);
std::string swap_case(std::string_view text);

/// str.isalpha and its like; false for the empty text.
enum class TextClass { kAlpha, kDigit, kNumeric, kDecimal, kAlnum, kSpace, kLower, kUpper };
bool is_class(std::string_view text, TextClass wanted);
bool is_title(std::string_view text);
bool is_ascii(std::string_view text);
bool is_printable(std::string_view text);
bool is_identifier(std::string_view text);

/// str.expandtabs
std::string expand_tabs(std::string_view text, std::int64_t size);

/// str.split and str.rsplit; `separator` null: runs of white space. `limit` negative: no limit. An empty separator is the
/// caller's error to refuse.
std::vector<std::string> split(std::string_view text, const std::string* separator, long long limit, bool from_right);
/// str.splitlines at Python's line boundaries.
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);

/// str.replace; `limit` negative: all. An empty `old` matches between all code points, as in Python.
std::string replace(std::string_view text, std::string_view old, std::string_view fresh, long long limit);

/// Non-overlapping occurrences, str.count.
std::size_t count(std::string_view text, std::string_view part);

/// Byte offsets of all code points and of the end: size is the length in code points plus one.
std::vector<std::size_t> code_point_offsets(std::string_view text);

/// At most the first `count` code points.
std::string first_code_points(std::string_view text, std::size_t count);

/// repr(str): quotes as Python chooses them, escapes for what is not printable.
std::string repr(std::string_view text);

}  // namespace rag::core::jinja
