// Lines of a text, for the outlines. Constant time a step; views into the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rag::core {

/// Bytes [start, end) without the line feed; next: where the following line begins.
struct Line {
    std::size_t start = 0;
    std::size_t end = 0;
    std::size_t next = 0;
};

/// The line that begins at `start`, which is below text.size().
inline Line line_at(std::string_view text, std::size_t start) noexcept {
    const std::size_t newline = text.find('\n', start);
    if (newline == std::string_view::npos) return {start, text.size(), text.size()};
    const std::size_t end = newline > start && text[newline - 1] == '\r' ? newline - 1 : newline;
    return {start, end, newline + 1};
}

inline std::string_view view_of(std::string_view text, const Line& line) noexcept {
    return text.substr(line.start, line.end - line.start);
}

inline bool is_blank_byte(char byte) noexcept {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\f' || byte == '\v';
}

/// Without blanks at both ends.
inline std::string_view stripped(std::string_view line) noexcept {
    while (!line.empty() && is_blank_byte(line.front())) line.remove_prefix(1);
    while (!line.empty() && is_blank_byte(line.back())) line.remove_suffix(1);
    return line;
}

/// At most `limit` bytes of a text, cut between code points.
inline std::string_view cut_text(std::string_view text, std::size_t limit) noexcept {
    if (text.size() <= limit) return text;
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0U) == 0x80U) --limit;
    return text.substr(0, limit);
}

}  // namespace rag::core
