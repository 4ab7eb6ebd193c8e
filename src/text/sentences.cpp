#include "text/sentences.hpp"

#include <algorithm>

#include "core/utf8.hpp"
#include "text/icu.hpp"

namespace rag::core {
namespace {

/// A line at least this long (code points) was probably wrapped by an editor, not ended by its author.
constexpr std::size_t kWrappedLine = 40;

bool is_space(char byte) noexcept {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r' || byte == '\f' || byte == '\v';
}

/// Length of a wide space that begins or, with `backward`, ends at `at`; 0 if there is none.
std::size_t wide_space(std::string_view text, std::size_t at, bool backward) noexcept {
    for (const std::string_view space : {std::string_view("\xE3\x80\x80"), std::string_view("\xC2\xA0")}) {
        if (backward ? text.substr(0, at).ends_with(space) : text.substr(at).starts_with(space)) return space.size();
    }
    return 0;
}

/// True if the line that begins at `at` opens something new: a list item, a heading, a table row, a quotation.
bool opens_block(std::string_view text, std::size_t at) noexcept {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
    if (at >= text.size()) return true;
    const char first = text[at];
    const bool spaced = at + 1 < text.size() && is_space(text[at + 1]);
    if (first == '#' || first == '|' || first == '>' || first == '\n' || first == '\r') return true;
    if ((first == '-' || first == '*' || first == '+') && spaced) return true;
    std::size_t digits = at;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    return digits > at && digits < at + 4 && digits + 1 < text.size() && (text[digits] == '.' || text[digits] == ')') &&
           is_space(text[digits + 1]);
}

/// True if the newline at `newline` only wraps the line that began at `line_start`.
bool is_wrap(std::string_view text, std::size_t line_start, std::size_t newline) noexcept {
    if (newline == 0 || newline + 1 >= text.size()) return false;
    std::size_t last = newline;
    while (last > line_start && is_space(text[last - 1])) --last;
    // After Chinese text a line end is the author's: there are no spaces at which an editor would wrap.
    if (last == line_start || static_cast<unsigned char>(text[last - 1]) >= 0x80) return false;
    return count_code_points(text.substr(line_start, last - line_start)) >= kWrappedLine && !opens_block(text, newline + 1);
}

/// Appends the sentences of text[start, end), which holds no blank line.
void split_piece(std::string_view text, std::size_t start, std::size_t end, std::vector<Range>& out) {
    Utf16Text& buffer = utf16_buffer();
    buffer.assign(text.substr(start, end - start));
    std::size_t line_start = start;
    for (std::size_t i = 0; i < buffer.units.size(); ++i) {
        if (buffer.units[i] != u'\n') continue;
        const std::size_t newline = start + buffer.offsets[i];
        if (is_wrap(text, line_start, newline)) {
            buffer.units[i] = u' ';
            if (i > 0 && buffer.units[i - 1] == u'\r') buffer.units[i - 1] = u' ';
        }
        line_start = newline + 1;
    }
    UBreakIterator* iterator = sentence_iterator();
    UErrorCode code = U_ZERO_ERROR;
    ubrk_setText(iterator, buffer.units.data(), buffer.size(), &code);
    check_icu(code, "ubrk_setText");
    std::int32_t from = ubrk_first(iterator);
    for (std::int32_t to = ubrk_next(iterator); to != UBRK_DONE; from = to, to = ubrk_next(iterator)) {
        const Range range = trim_range(
            text, {start + buffer.offsets[static_cast<std::size_t>(from)], start + buffer.offsets[static_cast<std::size_t>(to)]});
        if (range.start < range.end) out.push_back(range);
    }
}

}  // namespace

Range trim_range(std::string_view utf8, Range range) noexcept {
    while (range.start < range.end) {
        const std::size_t step = is_space(utf8[range.start]) ? 1 : wide_space(utf8.substr(0, range.end), range.start, false);
        if (step == 0) break;
        range.start += step;
    }
    while (range.start < range.end) {
        const std::size_t step =
            is_space(utf8[range.end - 1]) ? 1 : wide_space(utf8.substr(range.start), range.end - range.start, true);
        if (step == 0) break;
        range.end -= step;
    }
    return range;
}

std::vector<Range> split_paragraphs(std::string_view utf8) {
    std::vector<Range> out;
    std::size_t start = 0;
    const auto close = [&](std::size_t end) {
        const Range range = trim_range(utf8, {start, end});
        if (range.start < range.end) out.push_back(range);
        start = end;
    };
    for (std::size_t newline = utf8.find('\n'); newline != std::string_view::npos; newline = utf8.find('\n', newline + 1)) {
        std::size_t next = newline + 1;
        while (next < utf8.size() && (utf8[next] == ' ' || utf8[next] == '\t' || utf8[next] == '\r')) ++next;
        if (next < utf8.size() && utf8[next] == '\n') close(newline);
    }
    close(utf8.size());
    return out;
}

std::vector<Range> split_sentences(std::string_view utf8) {
    std::vector<Range> out;
    for (const Range& paragraph : split_paragraphs(utf8)) {
        const std::string_view upto = utf8.substr(0, paragraph.end);
        for (std::size_t at = paragraph.start; at < paragraph.end;) {
            const std::size_t end = piece_end(upto, at);
            split_piece(utf8, at, end, out);
            at = end;
        }
    }
    return out;
}

}  // namespace rag::core
