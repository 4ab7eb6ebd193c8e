// .jsonl, .ndjson: an object or a text a line (jsonlines.org), blank lines allowed. Memory: one line and one block.
#include "core/error.hpp"
#include "text/readers/formats.hpp"
#include "text/readers/json_records.hpp"

namespace rag::core {
namespace {

class JsonLinesReader final : public DocumentReader {
  public:
    JsonLinesReader(std::unique_ptr<ByteSource> bytes, ReadOptions options)
        : options_(std::move(options)),
          source_(std::move(bytes), options_.encoding, nullptr, options_.progress),
          records_(options_, source_.name()) {}

    bool next(ReadDocument& out) override {
        std::string_view line;
        while (next_line(line)) {
            ++row_;
            if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
            simdjson::dom::element element;
            const simdjson::error_code error = parser_.parse(line.data(), line.size(), true).get(element);
            if (error != simdjson::SUCCESS)
                fail(Code::kInvalidArgument, "{} is {}", records_.mapper().place(row_), json_problem(line, error));
            if (records_.map(element, row_, out)) return true;
            ++blank_;
        }
        return false;
    }

  private:
    /// A view that holds until the next call; false at the end.
    bool next_line(std::string_view& line) {
        std::size_t searched = at_;
        for (;;) {
            const std::size_t newline = buffer_.find('\n', searched);
            if (newline != std::string::npos) {
                line = std::string_view(buffer_).substr(at_, newline - at_);
                at_ = newline + 1;
                return true;
            }
            buffer_.erase(0, at_);
            at_ = 0;
            searched = buffer_.size();
            if (searched > kMaxRowBytes) {
                buffer_.clear();
                ended_ = true;
                fail(Code::kInvalidArgument, "{} has more than {} bytes", records_.mapper().place(row_ + 1), kMaxRowBytes);
            }
            if (!ended_) ended_ = !source_.read(buffer_);
            if (ended_) {
                line = buffer_;
                at_ = buffer_.size();
                return !line.empty();
            }
        }
    }

    ReadOptions options_;
    TextSource source_;
    JsonRecords records_;
    simdjson::dom::parser parser_;
    std::string buffer_;  // read and not given yet, from at_
    std::size_t at_ = 0;
    bool ended_ = false;
    std::uint64_t row_ = 0;
};

}  // namespace

std::unique_ptr<DocumentReader> make_json_lines_reader(std::unique_ptr<ByteSource> bytes, ReadOptions options) {
    return std::make_unique<JsonLinesReader>(std::move(bytes), std::move(options));
}

}  // namespace rag::core
