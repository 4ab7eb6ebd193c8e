#include "text/readers/table_rows.hpp"

#include <algorithm>
#include <array>

#include "text/readers/fields.hpp"
#include "text/readers/reader.hpp"
#include "text/readers/text_lines.hpp"

namespace rag::core {

bool TableRows::next() {
    if (!started_) start();
    while (read_row()) {
        if (is_empty_line()) continue;
        ++row_;
        if (problem_ != nullptr) fail(Code::kInvalidArgument, "{}: {}", place(row_), problem_);
        if (count_ > names_.size())
            fail(Code::kInvalidArgument, "{} has {} fields, the table has {} columns", place(row_), count_, names_.size());
        return true;
    }
    return false;
}

std::string TableRows::place(std::uint64_t row) const {
    return fmt::format("{}, row {}", quote(source_.name(), 400), row);
}

void TableRows::start() {
    started_ = true;
    fill();
    if (delimiter_ == 0) delimiter_ = guess_delimiter();
    do {
        if (!read_row()) return;
    } while (is_empty_line());
    const std::string file = quote(source_.name(), 400);
    if (problem_ != nullptr) fail_for_good("{}, the row of names: {}", file, problem_);
    for (std::size_t i = 0; i < count_; ++i) {
        std::string name = title_line(values_[i]);
        for (const std::string& other : names_) {
            if (!name.empty() && other == name) fail_for_good("{} has two columns {}", file, quote(name));
        }
        names_.push_back(std::move(name));
    }
    for (const std::string& wanted : wanted_) {
        if (std::find(names_.begin(), names_.end(), wanted) != names_.end()) continue;
        std::string columns;
        for (const std::string& name : names_) columns += (columns.empty() ? "" : ", ") + quote(name, 40);
        fail_for_good("{} has no column {}, it has {}", file, quote(wanted), columns.substr(0, 400));
    }
}

template <typename... Args>
void TableRows::fail_for_good(fmt::format_string<Args...> format, Args&&... args) {
    ended_ = true;
    buffer_.clear();
    at_ = 0;
    fail(Code::kInvalidArgument, format, std::forward<Args>(args)...);
}

/// The most frequent of the usual ones in the first row.
char TableRows::guess_delimiter() const {
    constexpr std::string_view kUsual = ",;\t|";
    std::array<std::size_t, kUsual.size()> counts{};
    bool quoted = false;
    for (const char c : buffer_) {
        if (c == '"') quoted = !quoted;
        if (!quoted && (c == '\n' || c == '\r')) break;
        const std::size_t which = kUsual.find(c);
        if (!quoted && which != std::string_view::npos) ++counts[which];
    }
    return kUsual[static_cast<std::size_t>(std::max_element(counts.begin(), counts.end()) - counts.begin())];
}

/// Replaces what has been used by the next block; false at the end.
bool TableRows::fill() {
    buffer_.clear();
    at_ = 0;
    if (!ended_) ended_ = !source_.read(buffer_);
    return !buffer_.empty();
}

/// Fields of the next row into values_[0, count_); what is wrong with it into problem_. False at the end.
bool TableRows::read_row() {
    count_ = 0;
    size_ = 0;
    quoted_ = false;
    problem_ = nullptr;
    row_line_ = line_;
    if (!has_more()) return false;
    for (bool more = true; more;) {
        if (count_ == kMaxColumns) {
            problem_ = "more fields than a table may have columns (4096)";
            --count_;
        }
        if (values_.size() == count_) values_.emplace_back();
        std::string& value = values_[count_++];
        value.clear();
        if (has_more() && buffer_[at_] == '"') read_quoted(value);
        more = read_plain_field(value);
    }
    return true;
}

void TableRows::take(std::string& value, std::size_t count) {
    value.append(buffer_, at_, count);
    if (quoted_field_)
        line_ += static_cast<std::uint64_t>(std::count(value.end() - static_cast<std::ptrdiff_t>(count), value.end(), '\n'));
    at_ += count;
    size_ += count;
    if (size_ > kMaxRowBytes) fail_for_good("{} has more than {} bytes", place(row_ + 1), kMaxRowBytes);
}

/// Up to the delimiter (true) or the end of the row.
bool TableRows::read_plain_field(std::string& value) {
    const std::array<char, 3> ends = {delimiter_, '\n', '\r'};
    while (has_more()) {
        const std::size_t end = std::min(buffer_.find_first_of(ends.data(), at_, ends.size()), buffer_.size());
        if (end > at_ && quoted_field_) problem_ = "text behind the closing quote of a field";
        take(value, end - at_);
        if (at_ == buffer_.size()) continue;
        quoted_field_ = false;
        const char found = buffer_[at_++];
        if (found == delimiter_) return true;
        if (found == '\r' && has_more() && buffer_[at_] == '\n') ++at_;
        ++line_;
        return false;
    }
    quoted_field_ = false;
    return false;
}

void TableRows::read_quoted(std::string& value) {
    ++at_;
    quoted_ = quoted_field_ = true;
    while (has_more()) {
        const std::size_t end = std::min(buffer_.find('"', at_), buffer_.size());
        take(value, end - at_);
        if (at_ == buffer_.size()) continue;
        ++at_;
        if (!has_more() || buffer_[at_] != '"') return;
        take(value, 1);
    }
    problem_ = "a quote that is not closed";
}

}  // namespace rag::core
