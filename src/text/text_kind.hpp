// What a document's text is written in, which tells a chunker where its sections are. The numbers are those of rag_text_kind.
#pragma once

#include <cstdint>
#include <string_view>

namespace rag::core {

enum class TextKind : std::uint32_t {
    kText = 0,          // prose
    kMarkdown = 1,      // CommonMark
    kRst = 2,           // reStructuredText
    kHtml = 3,          // what the HTML reader makes of a page: headings as "# ...", code between lines of "```"
    kCode = 4,          // blocks in braces, comments by // and /* */: C, C++, Java, JavaScript, Go, Rust ...
    kCodeIndented = 5,  // blocks by indentation: Python, and what is indented as strictly, such as Ruby and Lua
    kCodeShell = 6      // blocks in braces, comments by #: shells, Perl, R
};

inline constexpr std::uint32_t kTextKinds = 7;

/// "text", "markdown", "rst", "html", "code", "code-indented", "code-shell".
std::string_view name_of(TextKind kind) noexcept;

/// The kind of that number; kInvalidArgument if there is none.
TextKind text_kind_of(std::uint32_t number);

}  // namespace rag::core
