#include "text/readers/page_text.hpp"

#include <algorithm>

#include "text/readers/fields.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kLongRowBytes = 600;  // a row with paragraphs that is longer is no row of data
constexpr std::size_t kMaxListIndent = 16;

bool is_html_space(char c) noexcept {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

/// Signs that would make a heading or code of a line.
void append_escaped(std::string& out, std::string_view block) {
    for (std::size_t at = 0; at < block.size();) {
        const std::size_t end = std::min(block.find('\n', at), block.size());
        const std::string_view line = block.substr(at, end - at);
        if (at > 0) out += '\n';
        if (line.starts_with('#') || line.starts_with("```") || line.starts_with("~~~")) out += '\\';
        out.append(line);
        at = end + 1;
    }
}

/// Longest run of back quotes, so that a longer one can stand around.
std::size_t longest_quotes(std::string_view text) noexcept {
    std::size_t longest = 0;
    std::size_t run = 0;
    for (const char c : text) {
        run = c == '`' ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    return longest;
}

}  // namespace

void PageText::add(std::string_view utf8) {
    for (const char c : utf8) {
        if (is_html_space(c)) {
            space_ = true;
            continue;
        }
        if (space_ && !block_.empty() && block_.back() != '\n') block_ += ' ';
        space_ = false;
        block_ += c;
    }
}

void PageText::add_preformatted(std::string_view utf8) {
    block_.append(utf8);
}

void PageText::line_break() {
    if (preformatted_) {
        block_ += '\n';
    } else if (!block_.empty()) {
        block_ += prefix_.starts_with('#') ? ' ' : '\n';
    }
    space_ = false;
}

void PageText::end_block() {
    if (preformatted_) return;
    space_ = false;
    while (!block_.empty() && is_html_space(block_.back())) block_.pop_back();
    if (block_.empty()) return;
    const std::string block = std::move(block_);
    block_.clear();
    if (!rows_.empty() && !rows_.back().layout && !rows_.back().cells.empty()) {
        std::string& cell = rows_.back().cells.back();
        if (!cell.empty()) cell += '\n';
        cell += block;
        return;
    }
    std::string text = std::move(prefix_);
    prefix_.clear();
    append_escaped(text, block);
    emit(text, spacing_);
    spacing_ = kLoose;
}

void PageText::emit(std::string_view text, Spacing spacing) {
    if (!out_.empty()) out_ += spacing == kTight ? "\n" : "\n\n";
    out_.append(text);
}

/// What stands in cells so far becomes blocks, because something comes that no cell of data holds.
void PageText::leave_cells() {
    end_block();
    for (Row& row : rows_) {
        if (!row.layout) emit_row(row);
        row.layout = true;
    }
}

void PageText::begin_heading(int level) {
    leave_cells();
    prefix_ = std::string(static_cast<std::size_t>(level), '#') + ' ';
    spacing_ = kLoose;
}

void PageText::end_heading() {
    // A pilcrow that links to the heading itself is none of it.
    while (block_.ends_with("\u00b6")) block_.resize(block_.size() - 2);
    if (first_heading_.empty()) first_heading_ = block_;
    end_block();
    prefix_.clear();
}

void PageText::begin_list(bool ordered) {
    leave_cells();
    lists_.push_back({ordered, 1});
}

void PageText::end_list() {
    end_block();
    if (!lists_.empty()) lists_.pop_back();
    prefix_.clear();
    spacing_ = kLoose;
}

void PageText::begin_item() {
    end_block();
    if (lists_.empty()) return;
    List& list = lists_.back();
    const std::size_t indent = std::min(2 * (lists_.size() - 1), kMaxListIndent);
    spacing_ = list.next > 1 || lists_.size() > 1 ? kTight : kLoose;
    prefix_ = std::string(indent, ' ') + (list.ordered ? std::to_string(list.next) + ". " : "- ");
    ++list.next;
}

void PageText::begin_preformatted() {
    leave_cells();
    preformatted_ = true;
}

void PageText::end_preformatted() {
    preformatted_ = false;
    std::string_view code = block_;
    while (code.starts_with('\n') || code.starts_with('\r')) code.remove_prefix(1);
    while (!code.empty() && is_html_space(code.back())) code.remove_suffix(1);
    if (!code.empty()) {
        const std::string fence(std::max<std::size_t>(3, longest_quotes(code) + 1), '`');
        std::string text = fence;
        text.append("\n").append(code).append("\n").append(fence);
        emit(text, kLoose);
    }
    block_.clear();
    prefix_.clear();
}

void PageText::begin_table() {
    leave_cells();
}

void PageText::end_table() {
    end_block();
    spacing_ = kLoose;
}

void PageText::begin_row() {
    end_block();
    rows_.emplace_back();
}

void PageText::begin_cell() {
    end_block();
    if (!rows_.empty()) rows_.back().cells.emplace_back();
}

void PageText::end_row() {
    end_block();
    if (rows_.empty()) return;
    Row row = std::move(rows_.back());
    rows_.pop_back();
    if (!row.layout) emit_row(row);
}

void PageText::emit_row(Row& row) {
    std::size_t size = 0;
    bool paragraphs = false;
    bool blank = true;
    for (const std::string& cell : row.cells) {
        size += cell.size();
        paragraphs = paragraphs || cell.find('\n') != std::string::npos;
        blank = blank && cell.empty();
    }
    if (!blank && paragraphs && (size > kLongRowBytes || row.cells.size() == 1)) {
        for (const std::string& cell : row.cells) {
            if (cell.empty()) continue;
            std::string text;
            append_escaped(text, cell);
            emit(text, kLoose);
        }
        spacing_ = kLoose;
    } else if (!blank) {
        std::string line;
        for (std::size_t i = 0; i < row.cells.size(); ++i) {
            std::replace(row.cells[i].begin(), row.cells[i].end(), '\n', ' ');
            line.append(i == 0 ? "" : " | ").append(row.cells[i]);
        }
        std::string text;
        append_escaped(text, line);
        emit(text, spacing_);
        spacing_ = kTight;
    }
    row.cells.clear();
}

void PageText::begin_main() {
    leave_cells();
    if (open_mains_++ == 0) main_start_ = out_.size();
}

void PageText::end_main() {
    end_block();
    if (open_mains_ == 0) return;
    --open_mains_;
    if (open_mains_ == 0) mains_.emplace_back(main_start_, out_.size());
}

std::string PageText::finish() {
    if (preformatted_) end_preformatted();
    while (!rows_.empty()) end_row();
    end_block();
    while (open_mains_ > 0) end_main();
    std::string text;
    for (const auto& [start, stop] : mains_) {
        const std::string_view part = std::string_view(out_).substr(start, stop - start);
        if (is_blank_text(part)) continue;
        if (!text.empty()) text += "\n\n";
        text.append(part.substr(part.find_first_not_of('\n')));
    }
    return text.empty() ? std::move(out_) : text;
}

}  // namespace rag::core
