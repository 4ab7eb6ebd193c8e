// Definitions of languages that are written by indentation: a line "class X" or "def f" opens a section, which ends before the
// next line that is indented no deeper. Lines inside brackets and triple quotes are no lines of the program. Python by its
// lexical rules; Ruby and Lua as they are customarily indented, where the closing "end" belongs to what it closes.
#include <array>
#include <vector>

#include "text/chunkers/headings.hpp"
#include "text/chunkers/lines.hpp"

namespace rag::core {
namespace {

bool is_name_byte(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

std::string_view take_word(std::string_view& line) noexcept {
    line = stripped(line);
    std::size_t end = 0;
    while (end < line.size() && is_name_byte(line[end])) ++end;
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end);
    return word;
}

/// The name that a line defines, or empty.
std::string_view defined_name(std::string_view line) noexcept {
    constexpr std::array<std::string_view, 6> kOpening = {"def", "class", "module", "function", "defmodule", "defp"};
    constexpr std::array<std::string_view, 4> kBefore = {"async", "local", "private", "public"};
    std::string_view word = take_word(line);
    for (const auto before : kBefore) {
        if (word == before) word = take_word(line);
    }
    bool opens = false;
    for (const auto opening : kOpening) opens = opens || word == opening;
    if (!opens || line.empty() || !is_blank_byte(line.front())) return {};
    line = stripped(line);
    std::size_t end = 0;  // with "self." of Ruby and "table:" of Lua
    while (end < line.size() && (is_name_byte(line[end]) || ((line[end] == '.' || line[end] == ':') && end + 1 < line.size() &&
                                                             is_name_byte(line[end + 1]))))
        ++end;
    return line.substr(0, end);
}

/// Follows brackets and strings from line to line.
class PythonState {
  public:
    bool at_statement() const noexcept { return brackets_ == 0 && triple_ == 0 && !continued_; }

    void read(std::string_view line) noexcept {
        char quote = 0;
        continued_ = false;
        for (std::size_t at = 0; at < line.size(); ++at) {
            const char c = line[at];
            const bool three = at + 2 < line.size() && line[at + 1] == c && line[at + 2] == c;
            if (c == '\\') {
                continued_ = at + 1 == line.size() && quote == 0 && triple_ == 0;
                ++at;
            } else if (triple_ != 0) {
                if (c != triple_ || !three) continue;
                triple_ = 0;
                at += 2;
            } else if (quote != 0) {
                if (c == quote) quote = 0;
            } else if (c == '"' || c == '\'') {
                if (three) {
                    triple_ = c;
                    at += 2;
                } else {
                    quote = c;
                }
            } else if (c == '#') {
                return;
            } else if (c == '(' || c == '[' || c == '{') {
                ++brackets_;
            } else if ((c == ')' || c == ']' || c == '}') && brackets_ > 0) {
                --brackets_;
            }
        }
    }

  private:
    std::size_t brackets_ = 0;
    char triple_ = 0;
    bool continued_ = false;
};

class IndentedLines {
  public:
    explicit IndentedLines(std::string_view text) : text_(text) {}

    std::vector<Section> run() {
        for (std::size_t at = 0; at < text_.size();) {
            const Line line = line_at(text_, at);
            const std::string_view view = view_of(text_, line);
            if (state_.at_statement()) read(line, view);
            state_.read(view);
            at = line.next;
        }
        for (const Open& open : open_) sections_[open.section].stop = text_.size();
        return std::move(sections_);
    }

  private:
    struct Open {
        std::size_t indent;
        std::size_t section;
    };

    void read(const Line& line, std::string_view view) {
        const std::string_view code = stripped(view);
        if (code.empty()) {
            leading_ = kNone;
            return;
        }
        const std::size_t indent = indent_of(view);
        if (code.front() == '#' || code.front() == '@' || code.starts_with("--")) {
            // Comments and decorators right above a definition belong to it.
            if (leading_ == kNone || leading_indent_ != indent) leading_ = line.start;
            leading_indent_ = indent;
            if (code.front() != '@') return;
            close(indent, leading_);
            return;
        }
        const std::size_t start = leading_ != kNone && leading_indent_ == indent ? leading_ : line.start;
        leading_ = kNone;
        const bool ends = code == "end" || code.starts_with("end #") || code.starts_with("end --") || code.front() == '}';
        if (ends && !open_.empty() && open_.back().indent >= indent) {
            const bool own = open_.back().indent == indent;
            close(indent + (own ? 1 : 0), line.start);
            if (own) close(indent, line.next);
            return;
        }
        const std::string_view name = defined_name(code);
        close(indent, name.empty() ? line.start : start);
        if (name.empty() || open_.size() == kMaxSectionDepth) return;
        open_.push_back({indent, sections_.size()});
        sections_.push_back(
            {start, text_.size(), static_cast<std::uint32_t>(open_.size()), std::string(cut_text(name, kMaxHeadingBytes))});
    }

    /// Ends what is indented as deep as `indent` or deeper.
    void close(std::size_t indent, std::size_t stop) {
        for (; !open_.empty() && open_.back().indent >= indent; open_.pop_back()) sections_[open_.back().section].stop = stop;
    }

    /// In columns, tabs to multiples of eight, as Python counts.
    static std::size_t indent_of(std::string_view line) noexcept {
        std::size_t columns = 0;
        for (const char c : line) {
            if (c == ' ') {
                ++columns;
            } else if (c == '\t') {
                columns = columns / 8 * 8 + 8;
            } else {
                break;
            }
        }
        return columns;
    }

    static constexpr std::size_t kNone = std::string_view::npos;
    std::string_view text_;
    PythonState state_;
    std::vector<Section> sections_;
    std::vector<Open> open_;
    std::size_t leading_ = kNone;  // where comments and decorators begin that stand right above
    std::size_t leading_indent_ = 0;
};

}  // namespace

std::vector<Section> indent_outline(std::string_view text) {
    return IndentedLines(text).run();
}

}  // namespace rag::core
