// .json: a list of objects or texts, one document each, or one object, which is one document. Parsed as a whole (kMaxPageBytes).
#include "core/error.hpp"
#include "text/readers/formats.hpp"
#include "text/readers/json_records.hpp"

namespace rag::core {
namespace {

class JsonReader final : public DocumentReader {
  public:
    JsonReader(std::unique_ptr<ByteSource> bytes, ReadOptions options)
        : options_(std::move(options)),
          source_(std::move(bytes), options_.encoding, nullptr, options_.progress),
          records_(options_, source_.name()) {}

    bool next(ReadDocument& out) override {
        if (!parsed_) parse();
        while (row_ < elements_.size()) {
            const simdjson::dom::element element = elements_[row_++];
            source_.report_progress();
            if (records_.map(element, row_, out)) return true;
            ++blank_;
        }
        return false;
    }

  private:
    void parse() {
        parsed_ = true;
        text_ = source_.read_all(kMaxPageBytes);
        if (text_.find_first_not_of(" \t\r\n") == std::string::npos) return;
        text_.reserve(text_.size() + simdjson::SIMDJSON_PADDING);
        simdjson::dom::element root;
        const simdjson::error_code error = parser_.parse(text_).get(root);
        if (error != simdjson::SUCCESS)
            fail(Code::kInvalidArgument, "{} is {}", quote(source_.name(), 400), json_problem(text_, error));
        if (!root.is_array()) {
            elements_.push_back(root);
            return;
        }
        simdjson::dom::array list;
        if (root.get_array().get(list) == simdjson::SUCCESS)
            for (const auto element : list) elements_.push_back(element);
    }

    ReadOptions options_;
    TextSource source_;
    JsonRecords records_;
    bool parsed_ = false;
    std::string text_;
    simdjson::dom::parser parser_;
    std::vector<simdjson::dom::element> elements_;
    std::size_t row_ = 0;
};

}  // namespace

std::unique_ptr<DocumentReader> make_json_reader(std::unique_ptr<ByteSource> bytes, ReadOptions options) {
    return std::make_unique<JsonReader>(std::move(bytes), std::move(options));
}

}  // namespace rag::core
