// .csv, .tsv: tables with a row of names first, one document a row.
#include "core/error.hpp"
#include "text/readers/formats.hpp"
#include "text/readers/json_records.hpp"
#include "text/readers/table_rows.hpp"

namespace rag::core {
namespace {

class TableReader final : public DocumentReader {
  public:
    TableReader(std::unique_ptr<ByteSource> bytes, ReadOptions options)
        : options_(std::move(options)),
          source_(std::move(bytes), options_.encoding, nullptr, options_.progress),
          rows_(source_, delimiter(options_), wanted(options_)),
          mapper_(options_, source_.name()) {}

    bool next(ReadDocument& out) override {
        while (rows_.next()) {
            fields_.clear();
            // Fields that a short row leaves out are not there.
            for (std::size_t i = 0; i < rows_.count(); ++i) {
                if (!rows_.names()[i].empty()) fields_.push_back({rows_.names()[i], rows_.value(i)});
            }
            if (mapper_.map(fields_, rows_.number(), out)) return true;
            ++blank_;
        }
        return false;
    }

  private:
    static char delimiter(const ReadOptions& options) {
        return options.delimiter == 0 && options.format != "csv" ? '\t' : options.delimiter;
    }

    static std::vector<std::string> wanted(const ReadOptions& options) {
        std::vector<std::string> names;
        for (const auto* field : {&options.text_field, &options.title_field, &options.id_field}) {
            if (*field) names.push_back(**field);
        }
        return names;
    }

    ReadOptions options_;
    TextSource source_;
    TableRows rows_;
    RecordMapper mapper_;
    std::vector<Field> fields_;
};

}  // namespace

std::unique_ptr<DocumentReader> make_table_reader(std::unique_ptr<ByteSource> bytes, ReadOptions options) {
    return std::make_unique<TableReader>(std::move(bytes), std::move(options));
}

}  // namespace rag::core
