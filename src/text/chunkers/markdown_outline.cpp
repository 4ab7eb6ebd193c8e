// Headings of Markdown. A line-by-line reading of CommonMark 0.30: fences hide what is between them, a line of = or - under a
// paragraph makes a heading of it, front matter between lines of --- at the start is none.
#include <algorithm>

#include "text/chunkers/headings.hpp"
#include "text/chunkers/lines.hpp"

namespace rag::core {
namespace {

/// The line without the up to three spaces that it may be indented; what is indented deeper is code and comes out empty.
std::string_view dedented(std::string_view line) noexcept {
    std::size_t spaces = 0;
    while (spaces < line.size() && line[spaces] == ' ') ++spaces;
    if (spaces > 3 || (spaces < line.size() && line[spaces] == '\t')) return {};
    return line.substr(spaces);
}

std::size_t run_of(std::string_view line, char c) noexcept {
    std::size_t count = 0;
    while (count < line.size() && line[count] == c) ++count;
    return count;
}

/// Level of an ATX heading, 0 if the line is none; `title` gets what stands between its signs.
std::uint32_t atx_level(std::string_view line, std::string_view& title) noexcept {
    const std::size_t level = run_of(line, '#');
    if (level == 0 || level > 6) return 0;
    title = line.substr(level);
    if (!title.empty() && !is_blank_byte(title.front())) return 0;
    title = stripped(title);
    std::string_view closed = title;
    while (!closed.empty() && closed.back() == '#') closed.remove_suffix(1);
    if (closed.empty() || is_blank_byte(closed.back())) title = stripped(closed);
    return static_cast<std::uint32_t>(level);
}

/// 1 for a line of =, 2 for a line of -, else 0.
std::uint32_t underline_level(std::string_view line) noexcept {
    line = stripped(line);
    if (line.empty() || (line.front() != '=' && line.front() != '-')) return 0;
    if (run_of(line, line.front()) != line.size()) return 0;
    return line.front() == '=' ? 1 : 2;
}

/// True for what begins a quote, a list item or a table row: an underline below does not make a heading of it.
bool is_container(std::string_view line) noexcept {
    if (line.front() == '>' || line.front() == '|') return true;
    const auto blank_at = [&](std::size_t at) { return at >= line.size() || is_blank_byte(line[at]); };
    if (line.front() == '-' || line.front() == '+' || line.front() == '*') return blank_at(1);
    const std::size_t digits = std::min<std::size_t>(line.find_first_not_of("0123456789"), line.size());
    return digits > 0 && digits < line.size() && (line[digits] == '.' || line[digits] == ')') && blank_at(digits + 1);
}

class MarkdownLines {
  public:
    MarkdownLines(std::string_view text, bool page) : text_(text), page_(page) {}

    std::vector<Heading> run() {
        for (std::size_t at = page_ ? 0 : front_matter_end(); at < text_.size();) {
            const Line line = line_at(text_, at);
            read(line);
            at = line.next;
        }
        return std::move(headings_);
    }

  private:
    /// Where the text begins behind YAML between lines of "---"; 0 without it or if it is not closed.
    std::size_t front_matter_end() const noexcept {
        if (text_.empty() || stripped(view_of(text_, line_at(text_, 0))) != "---" || text_.front() != '-') return 0;
        for (std::size_t at = line_at(text_, 0).next; at < text_.size();) {
            const Line line = line_at(text_, at);
            const std::string_view view = view_of(text_, line);
            if (view.starts_with("---") || view.starts_with("...")) return stripped(view).size() == 3 ? line.next : 0;
            if (stripped(view).empty()) return 0;  // a thematic break over a text
            at = line.next;
        }
        return 0;
    }

    void read(const Line& line) {
        const std::string_view view = dedented(view_of(text_, line));
        if (fence_ != 0) {
            if (run_of(view, fence_mark_) >= fence_ && stripped(view.substr(run_of(view, fence_mark_))).empty()) fence_ = 0;
            return;
        }
        if (stripped(view).empty()) {
            // An indented line goes on with a paragraph, but does not begin one.
            if (stripped(view_of(text_, line)).empty()) inside_ = kNothing;
            return;
        }
        if (opens_fence(view)) return;
        std::string_view title;
        const std::uint32_t under = underline_level(view);
        if (const std::uint32_t level = atx_level(view, title); level != 0) {
            headings_.push_back({line.start, level, heading_text(title)});
            inside_ = kNothing;
        } else if (under != 0 && inside_ == kParagraph && !page_) {
            headings_.push_back({paragraph_, under, heading_text(text_.substr(paragraph_, line.start - paragraph_))});
            inside_ = kNothing;
        } else if (inside_ == kNothing && under == 0) {
            inside_ = is_container(view) ? kContainer : kParagraph;
            paragraph_ = line.start;
        } else if (is_container(view)) {
            inside_ = kContainer;
        }
    }

    bool opens_fence(std::string_view view) {
        const char mark = view.front();
        const std::size_t run = mark == '`' || mark == '~' ? run_of(view, mark) : 0;
        if (run < 3 || (mark == '`' && view.find('`', run) != std::string_view::npos)) return false;
        fence_ = run;
        fence_mark_ = mark;
        inside_ = kNothing;
        return true;
    }

    std::string_view text_;
    bool page_;
    std::vector<Heading> headings_;
    std::size_t fence_ = 0;  // length of the open fence; 0: none
    char fence_mark_ = 0;
    enum { kNothing, kParagraph, kContainer } inside_ = kNothing;
    std::size_t paragraph_ = 0;  // where it began
};

}  // namespace

std::vector<Section> markdown_outline(std::string_view text, bool page) {
    return nest_headings(MarkdownLines(text, page).run(), text.size());
}

}  // namespace rag::core
