// .csv, .tsv: tables with a row of names first, one document a row. RFC 4180, with quotes, doubled quotes and line ends in
// fields; the delimiter is guessed or given; a quote inside a field without quotes is a quote. Memory: one row and one block.
#include <array>

#include "core/error.hpp"
#include "text/readers/fields.hpp"
#include "text/readers/formats.hpp"
#include "text/readers/json_records.hpp"

namespace rag::core {
namespace {

class TableReader final : public DocumentReader {
  public:
    TableReader(std::unique_ptr<ByteSource> bytes, ReadOptions options)
        : options_(std::move(options)),
          source_(std::move(bytes), options_.encoding, nullptr, options_.progress),
          mapper_(options_, source_.name()) {}

    bool next(ReadDocument& out) override {
        if (!started_) start();
        while (read_row()) {
            if (is_empty_line()) continue;
            ++row_;
            if (problem_ != nullptr) fail(Code::kInvalidArgument, "{}: {}", mapper_.place(row_), problem_);
            if (count_ > names_.size()) {
                fail(Code::kInvalidArgument, "{} has {} fields, the table has {} columns", mapper_.place(row_), count_,
                     names_.size());
            }
            fields_.clear();
            // Fields that a short row leaves out are not there.
            for (std::size_t i = 0; i < count_; ++i) {
                if (!names_[i].empty()) fields_.push_back({names_[i], values_[i]});
            }
            if (mapper_.map(fields_, row_, out)) return true;
            ++blank_;
        }
        return false;
    }

  private:
    void start() {
        started_ = true;
        fill();
        delimiter_ = options_.delimiter;
        if (delimiter_ == 0) delimiter_ = options_.format == "csv" ? guess_delimiter() : '\t';
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
        for (const auto* wanted : {&options_.text_field, &options_.title_field, &options_.id_field}) {
            if (!*wanted || std::find(names_.begin(), names_.end(), **wanted) != names_.end()) continue;
            std::string columns;
            for (const std::string& name : names_) columns += (columns.empty() ? "" : ", ") + quote(name, 40);
            fail_for_good("{} has no column {}, it has {}", file, quote(**wanted), columns.substr(0, 400));
        }
    }

    template <typename... Args>
    [[noreturn]] void fail_for_good(fmt::format_string<Args...> format, Args&&... args) {
        ended_ = true;
        buffer_.clear();
        at_ = 0;
        fail(Code::kInvalidArgument, format, std::forward<Args>(args)...);
    }

    /// The most frequent of the usual ones in the first row.
    char guess_delimiter() const {
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
    bool fill() {
        buffer_.clear();
        at_ = 0;
        if (!ended_) ended_ = !source_.read(buffer_);
        return !buffer_.empty();
    }
    bool has_more() { return at_ < buffer_.size() || fill(); }

    /// A blank line is no row.
    bool is_empty_line() const noexcept { return count_ == 1 && !quoted_ && values_[0].empty(); }

    /// Fields of the next row into values_[0, count_); what is wrong with it into problem_. False at the end.
    bool read_row() {
        count_ = 0;
        size_ = 0;
        quoted_ = false;
        problem_ = nullptr;
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

    void take(std::string& value, std::size_t count) {
        value.append(buffer_, at_, count);
        at_ += count;
        size_ += count;
        if (size_ > kMaxRowBytes) fail_for_good("{} has more than {} bytes", mapper_.place(row_ + 1), kMaxRowBytes);
    }

    /// Up to the delimiter (true) or the end of the row.
    bool read_plain_field(std::string& value) {
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
            return false;
        }
        quoted_field_ = false;
        return false;
    }

    void read_quoted(std::string& value) {
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

    ReadOptions options_;
    TextSource source_;
    RecordMapper mapper_;
    char delimiter_ = ',';
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
    std::vector<Field> fields_;
    std::uint64_t row_ = 0;
};

}  // namespace

std::unique_ptr<DocumentReader> make_table_reader(std::unique_ptr<ByteSource> bytes, ReadOptions options) {
    return std::make_unique<TableReader>(std::move(bytes), std::move(options));
}

}  // namespace rag::core
