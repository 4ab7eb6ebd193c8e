// .jsonl, .ndjson: an object or a text a line (jsonlines.org), blank lines allowed. Memory: one line and one block.
#include "core/error.hpp"
#include "text/readers/formats.hpp"
#include "text/readers/json_records.hpp"
#include "text/readers/text_lines.hpp"

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
        while (lines_.next(line)) {
            if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
            simdjson::dom::element element;
            const simdjson::error_code error = parser_.parse(line.data(), line.size(), true).get(element);
            if (error != simdjson::SUCCESS)
                fail(Code::kInvalidArgument, "{} is {}", records_.mapper().place(lines_.number()), json_problem(line, error));
            if (records_.map(element, lines_.number(), out)) return true;
            ++blank_;
        }
        return false;
    }

  private:
    ReadOptions options_;
    TextSource source_;
    TextLines lines_{source_};
    JsonRecords records_;
    simdjson::dom::parser parser_;
};

}  // namespace

std::unique_ptr<DocumentReader> make_json_lines_reader(std::unique_ptr<ByteSource> bytes, ReadOptions options) {
    return std::make_unique<JsonLinesReader>(std::move(bytes), std::move(options));
}

}  // namespace rag::core
