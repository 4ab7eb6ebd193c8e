// Where a text's sections are: headings with what they stand over, or definitions of a program. Byte ranges that nest; one file
// a kind of text. A text that is broken in its own language gives a worse outline, never an error. Linear time. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/text_kind.hpp"

namespace rag::core {

/// Bytes [start, stop) from the beginning of the heading's line (or of the comment above a definition) to where the section
/// ends, at the beginning of a line or at the end of the text.
struct Section {
    std::size_t start = 0;
    std::size_t stop = 0;
    std::uint32_t depth = 1;  // 1: stands in no other
    std::string title;        // one line without markup, at most kMaxHeadingBytes
};

inline constexpr std::size_t kMaxHeadingBytes = 160;
inline constexpr std::uint32_t kMaxSectionDepth = 64;  // what lies deeper belongs to the section around it

/// In the order of their starts; a section lies in the nearest one before it whose depth is smaller. Prose has none.
std::vector<Section> outline_of(std::string_view text, TextKind kind);

/// Headings by # and, unless `page` (what the HTML reader makes), by underlines; none in fenced code and front matter.
/// CommonMark 0.30, sections 4.2, 4.3, 4.5; inside quotes and lists there are none here.
std::vector<Section> markdown_outline(std::string_view text, bool page);

/// Titles with underlines and overlines; levels in the order in which their styles appear, as docutils has it.
std::vector<Section> rst_outline(std::string_view text);

/// Functions, and classes, namespaces and the like with what stands in them, by braces. `shell`: comments by #.
std::vector<Section> brace_outline(std::string_view text, bool shell);

/// Functions and classes by indentation: def, class, module, function.
std::vector<Section> indent_outline(std::string_view text);

}  // namespace rag::core
