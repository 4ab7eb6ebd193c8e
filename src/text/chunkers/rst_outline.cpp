// Titles of reStructuredText: a line with a line of one repeated sign under it, or over and under it. docutils' rules
// (reStructuredText Markup Specification, "Sections"), without its warnings.
#include <array>

#include "core/utf8.hpp"
#include "text/chunkers/headings.hpp"
#include "text/chunkers/lines.hpp"

namespace rag::core {
namespace {

/// The sign of a line of at least two equal ones, 0 if it is none.
char adornment(std::string_view line) noexcept {
    while (!line.empty() && is_blank_byte(line.back())) line.remove_suffix(1);
    if (line.size() < 2) return 0;
    const char c = line.front();
    const bool sign = (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    return sign && line.find_first_not_of(c) == std::string_view::npos ? c : '\0';
}

std::size_t width_of(std::string_view line) noexcept {
    return count_code_points(stripped(line));
}

/// A line is long enough for its title; docutils accepts shorter ones from four signs on, with a warning.
bool is_under(std::string_view line, std::string_view title) noexcept {
    const std::size_t width = stripped(line).size();
    return width >= 4 || width >= width_of(title);
}

class RstLines {
  public:
    explicit RstLines(std::string_view text) : text_(text) {}

    std::vector<Heading> run() {
        bool blank_before = true;
        for (std::size_t at = 0; at < text_.size();) {
            const Line first = line_at(text_, at);
            at = first.next;
            if (blank_before) at = read(first);
            blank_before = stripped(view_of(text_, first)).empty() || at != first.next;
        }
        return std::move(headings_);
    }

  private:
    /// Where to go on: behind the title that begins with `first`, or behind that line.
    std::size_t read(const Line& first) {
        if (first.next >= text_.size()) return first.next;
        const Line second = line_at(text_, first.next);
        const std::string_view one = view_of(text_, first);
        const std::string_view two = view_of(text_, second);
        if (const char over = adornment(one); over != 0) {
            if (second.next >= text_.size() || stripped(two).empty() || adornment(two) != 0) return first.next;
            const Line third = line_at(text_, second.next);
            const std::string_view three = view_of(text_, third);
            if (adornment(three) != over || !is_under(three, two) || !is_under(one, two)) return first.next;
            add(first.start, over, true, two);
            return third.next;
        }
        if (stripped(one).empty() || is_blank_byte(one.front())) return first.next;
        const char under = adornment(two);
        if (under == 0 || !is_under(two, one)) return first.next;
        add(first.start, under, false, one);
        return second.next;
    }

    void add(std::size_t start, char sign, bool over, std::string_view title) {
        std::uint32_t& level = levels_[static_cast<unsigned char>(sign)][over ? 1 : 0];
        if (level == 0) level = ++styles_;
        headings_.push_back({start, level, heading_text(title)});
    }

    std::string_view text_;
    std::vector<Heading> headings_;
    std::array<std::array<std::uint32_t, 2>, 128> levels_{};  // by sign and style; 0: not seen yet
    std::uint32_t styles_ = 0;
};

}  // namespace

std::vector<Section> rst_outline(std::string_view text) {
    return nest_headings(RstLines(text).run(), text.size());
}

}  // namespace rag::core
