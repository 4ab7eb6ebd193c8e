// The rows of a table whose first row names the columns: RFC 4180, with quotes, doubled quotes and line ends in fields; the
// delimiter is guessed or given; a quote inside a field without quotes is a quote. Memory: one row and one block. Used by one
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "text/readers/text_source.hpp"

namespace rag::core {

class TableRows {
  public:
    /// `source` must outlive this. `delimiter` 0: the one of , ; tab | that is most frequent in the first row. `wanted`: columns
    /// that there must be.
    TableRows(TextSource& source, char delimiter, std::vector<std::string> wanted)
        : source_(source), delimiter_(delimiter), wanted_(std::move(wanted)) {}

    /// The next row that is no blank line; false at the end. kInvalidArgument names the file and the row: the next call goes on
    /// behind it, or, where the table as a whole is wrong (its names, a row without an end), is at the end.
    bool next();
    /// Of the row that next() gave, from 1; neither names nor blank lines count.
    std::uint64_t number() const noexcept { return row_; }
    /// In the file, where that row begins, from 1.
    std::uint64_t line() const noexcept { return row_line_; }
    /// Of the columns; empty where one has none.
    const std::vector<std::string>& names() const noexcept { return names_; }
    /// Fields of the row; a short row has fewer than there are columns.
    std::size_t count() const noexcept { return count_; }
    const std::string& value(std::size_t column) const noexcept { return values_[column]; }

  private:
    void start();
    template <typename... Args>
    [[noreturn]] void fail_for_good(fmt::format_string<Args...> format, Args&&... args);
    std::string place(std::uint64_t row) const;
    char guess_delimiter() const;
    bool fill();
    bool has_more() { return at_ < buffer_.size() || fill(); }
    /// A blank line is no row.
    bool is_empty_line() const noexcept { return count_ == 1 && !quoted_ && values_[0].empty(); }
    bool read_row();
    void take(std::string& value, std::size_t count);
    bool read_plain_field(std::string& value);
    void read_quoted(std::string& value);

    TextSource& source_;
    char delimiter_;
    const std::vector<std::string> wanted_;
    bool started_ = false;
    bool ended_ = false;
    std::string buffer_;  // read and not used yet, from at_
    std::size_t at_ = 0;
    std::vector<std::string> names_;
    std::vector<std::string> values_;  // [count_] of this row; the others keep their memory for the next
    std::size_t count_ = 0;
    std::size_t size_ = 0;       // bytes of this row's fields
    bool quoted_ = false;        // a field of this row had quotes
    bool quoted_field_ = false;  // the field being read had
    const char* problem_ = nullptr;
    std::uint64_t row_ = 0;
    std::uint64_t row_line_ = 0;
    std::uint64_t line_ = 1;  // of buffer_[at_]
};

}  // namespace rag::core
