// Definitions of languages with braces. One pass that knows comments, strings and brackets; the head before a brace decides
// whether it opens a definition (definition.hpp). Inside functions nothing is looked for. A comment or attribute right above a
// definition, without a blank line between, belongs to it.
#include <algorithm>
#include <array>
#include <vector>

#include "text/chunkers/definition.hpp"
#include "text/chunkers/lines.hpp"
#include "text/chunkers/outline.hpp"

namespace rag::core {
namespace {

bool is_name_byte(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

constexpr std::size_t kNoSection = static_cast<std::size_t>(-1);

class BraceScanner {
  public:
    BraceScanner(std::string_view text, bool shell) : text_(text), shell_(shell) {}

    std::vector<Section> run() {
        while (at_ < text_.size()) step();
        for (const std::size_t section : open_) {
            if (section != kNoSection) sections_[section].stop = text_.size();
        }
        return std::move(sections_);
    }

  private:
    char peek(std::size_t ahead) const noexcept { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

    void step() {
        const char c = text_[at_];
        if (c == '\n') return end_line();
        if (is_comment()) return skip_comment();
        if ((c == '"' || c == '\'' || c == '`') && !is_lifetime()) return skip_string(c);
        if (c == '{') return open();
        if (c == '}') return close();
        if (c == '\\') {
            at_ = std::min(at_ + 2, text_.size());
            return;
        }
        if (c == '(') ++round_;
        if (c == ')' && round_ > 0) --round_;
        if (c == ';' && round_ == 0) {
            ++at_;
            return begin_statement();
        }
        if (!is_blank_byte(c)) {
            line_has_code_ = true;
            begin_head();
        }
        keep(c);
        ++at_;
    }

    bool is_comment() const noexcept {
        if (shell_) return text_[at_] == '#' && (at_ == 0 || is_blank_byte(text_[at_ - 1]) || text_[at_ - 1] == '\n');
        if (text_[at_] == '/') return peek(1) == '/' || peek(1) == '*';
        // A line of the preprocessor is a statement of its own; attributes of Rust are not.
        return text_[at_] == '#' && !line_has_code_ && peek(1) != '[' && peek(1) != '!';
    }

    /// 'a of Rust, where it is not the beginning of a text.
    bool is_lifetime() const noexcept {
        if (text_[at_] != '\'' || shell_) return false;
        std::size_t end = at_ + 1;
        while (end < text_.size() && end < at_ + 32 && is_name_byte(text_[end])) ++end;
        if (end == at_ + 1 || end == text_.size() || text_[end] == '\'') return false;
        const char before = at_ > 0 ? text_[at_ - 1] : '\0';
        const bool listed = text_[end] == ',' && (before == ' ' || before == ',');
        return before == '&' || before == '<' || text_[end] == '>' || listed;
    }

    void skip_comment() {
        if (text_[at_] == '#' && !shell_) return skip_directive();
        if (!line_has_code_) begin_head();  // one behind a statement belongs to that
        if (text_[at_] == '/' && peek(1) == '*') {
            const std::size_t end = text_.find("*/", at_ + 2);
            at_ = end == std::string_view::npos ? text_.size() : end + 2;
            line_has_code_ = true;
            return;
        }
        at_ = std::min(text_.find('\n', at_), text_.size());
        line_has_code_ = true;
    }

    void skip_directive() {
        Line line = line_at(text_, at_);
        while (line.next < text_.size() && line.end > line.start && text_[line.end - 1] == '\\') line = line_at(text_, line.next);
        at_ = line.end;
        begin_statement();
        line_has_code_ = true;
    }

    /// A quote that its line does not close is no string (a lifetime of Rust, an apostrophe); back quotes go over lines.
    void skip_string(char quote) {
        begin_head();
        line_has_code_ = true;
        const std::size_t begin = at_++;
        const bool lines = quote == '`' || shell_;
        if (lines && exhausted_[static_cast<unsigned char>(quote)]) return;
        for (; at_ < text_.size() && (lines || text_[at_] != '\n'); ++at_) {
            if (text_[at_] == '\\' && !(shell_ && quote == '\'')) {
                ++at_;
            } else if (text_[at_] == quote) {
                ++at_;
                return;
            }
        }
        if (lines) exhausted_[static_cast<unsigned char>(quote)] = true;  // looked for to the end once is enough
        at_ = begin + 1;
    }

    void end_line() {
        ++at_;
        keep(' ');
        // A blank line ends what is no statement yet, such as an import without a semicolon or a comment about the file.
        if (!line_has_code_ && round_ == 0) begin_statement();
        line_has_code_ = false;
    }

    void begin_statement() {
        if (in_initializer_) return;
        head_start_ = kNoSection;
        head_.clear();
        round_ = 0;
    }
    void begin_head() noexcept {
        if (head_start_ == kNoSection) head_start_ = at_;
    }
    void keep(char c) {
        if (inside_ == 0 && head_.size() <= kMaxDefinitionBytes) head_ += c;
    }

    void open() {
        line_has_code_ = true;
        begin_head();
        ++at_;
        if (inside_ > 0) {
            ++inside_;
            return;
        }
        const Definition definition = open_.size() < kMaxSectionDepth && round_ == 0 ? definition_of(head_) : Definition{};
        switch (definition.kind) {
            case Definition::kContainer:
                open_.push_back(begin_section(definition.name));
                break;
            case Definition::kFunction:
                open_.push_back(begin_section(definition.name));
                inside_ = 1;
                in_function_ = true;
                break;
            case Definition::kInitializer:
                inside_ = 1;
                in_initializer_ = true;
                return;  // the head goes on behind it
            case Definition::kNone:
                inside_ = 1;
                break;
        }
        begin_statement();
    }

    std::size_t begin_section(const std::string& name) {
        if (name.empty()) return kNoSection;
        std::size_t start = head_start_;
        while (start > 0 && text_[start - 1] != '\n') --start;
        if (start < floor_) return kNoSection;  // two definitions in one line: the first has it
        std::uint32_t depth = 1;
        for (const std::size_t section : open_) depth += section != kNoSection ? 1 : 0;
        floor_ = line_at(text_, at_ - 1).next;
        sections_.push_back({start, text_.size(), depth, name});
        return sections_.size() - 1;
    }

    void close() {
        line_has_code_ = true;
        const bool was_inside = inside_ > 0;
        if (was_inside) --inside_;
        if (inside_ == 0 && in_initializer_) {
            in_initializer_ = false;
            ++at_;
            return;
        }
        if (inside_ == 0 && (in_function_ || !was_inside) && !open_.empty()) {
            floor_ = line_at(text_, at_).next;
            if (open_.back() != kNoSection) sections_[open_.back()].stop = floor_;
            open_.pop_back();
            in_function_ = false;
        }
        ++at_;
        begin_statement();
    }

    std::string_view text_;
    bool shell_;
    std::size_t at_ = 0;
    std::vector<Section> sections_;
    std::vector<std::size_t> open_;  // definitions around this place; kNoSection for those without a section
    std::size_t inside_ = 0;         // braces around this place in which no definitions are looked for
    std::string head_;               // code since the last statement
    std::size_t head_start_ = kNoSection;
    std::size_t floor_ = 0;  // sections begin here at the earliest
    std::size_t round_ = 0;  // round brackets that are open
    bool line_has_code_ = false;
    bool in_function_ = false;           // its braces are counted by inside_
    bool in_initializer_ = false;        // of a member, in the head of a constructor
    std::array<bool, 256> exhausted_{};  // by quote: none closes from here to the end
};

}  // namespace

std::vector<Section> brace_outline(std::string_view text, bool shell) {
    return BraceScanner(text, shell).run();
}

}  // namespace rag::core
