#include "text/chunkers/outline.hpp"

namespace rag::core {

std::vector<Section> outline_of(std::string_view text, TextKind kind) {
    switch (kind) {
        case TextKind::kText:
            return {};
        case TextKind::kMarkdown:
            return markdown_outline(text, false);
        case TextKind::kRst:
            return rst_outline(text);
        case TextKind::kHtml:
            return markdown_outline(text, true);
        case TextKind::kCode:
            return brace_outline(text, false);
        case TextKind::kCodeIndented:
            return indent_outline(text);
        case TextKind::kCodeShell:
            return brace_outline(text, true);
    }
    return {};
}

}  // namespace rag::core
