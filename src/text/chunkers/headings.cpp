#include "text/chunkers/headings.hpp"

#include <utility>

#include "text/chunkers/lines.hpp"

namespace rag::core {
namespace {

/// Where the round bracket that opens at `at` closes, or npos.
std::size_t closing_bracket(std::string_view text, std::size_t at) noexcept {
    std::size_t depth = 0;
    for (; at < text.size(); ++at) {
        if (text[at] == '(') ++depth;
        if (text[at] == ')' && --depth == 0) return at;
    }
    return std::string_view::npos;
}

/// Where the name of a role that begins at `at` ends (":ref:" before a back quote), or `at`.
std::size_t role_end(std::string_view text, std::size_t at) noexcept {
    std::size_t end = at + 1;
    while (end < text.size() && (text[end] == ':' || text[end] == '-' || (text[end] >= 'a' && text[end] <= 'z'))) ++end;
    return end > at + 2 && text[end - 1] == ':' && end < text.size() && text[end] == '`' ? end : at;
}

}  // namespace

std::vector<Section> nest_headings(std::vector<Heading> headings, std::size_t text_size) {
    std::vector<Section> sections;
    sections.reserve(headings.size());
    std::vector<std::pair<std::uint32_t, std::size_t>> open;  // level, section
    for (Heading& heading : headings) {
        while (!open.empty() && open.back().first >= heading.level) {
            sections[open.back().second].stop = heading.start;
            open.pop_back();
        }
        if (open.size() == kMaxSectionDepth) continue;
        open.emplace_back(heading.level, sections.size());
        sections.push_back({heading.start, text_size, static_cast<std::uint32_t>(open.size()), std::move(heading.title)});
    }
    return sections;
}

std::string heading_text(std::string_view raw) {
    raw = stripped(cut_text(raw, 4 * kMaxHeadingBytes));
    if (raw.ends_with('}')) {
        const std::size_t anchor = raw.rfind("{#");
        if (anchor != std::string_view::npos) raw = stripped(raw.substr(0, anchor));
    }
    std::string out;
    for (std::size_t at = 0; at < raw.size(); ++at) {
        const char c = raw[at];
        if (c == '\\' && at + 1 < raw.size() && static_cast<unsigned char>(raw[at + 1]) < 0x80) {
            out += raw[++at];
        } else if (c == ':' && role_end(raw, at) != at) {
            at = role_end(raw, at) - 1;
        } else if (c == ']' && at + 1 < raw.size() && raw[at + 1] == '(') {
            const std::size_t end = closing_bracket(raw, at + 1);
            if (end != std::string_view::npos) at = end;
        } else if (c == '\n' || c == '\t' || c == '\r') {
            out += ' ';
        } else if (c != '`' && c != '*' && c != '[' && c != ']' && static_cast<unsigned char>(c) >= 0x20) {
            out += c;
        }
    }
    return std::string(stripped(cut_text(stripped(out), kMaxHeadingBytes)));
}

}  // namespace rag::core
