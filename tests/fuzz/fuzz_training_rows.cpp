// A file of training data, by its first byte as lines of JSON, a list or a table: only kInvalidArgument may come out, and a row
// that is taken is written and read back the same.
// link: rag_train
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "train/data/read_rows.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rag::core;
    if (size == 0) return 0;
    constexpr const char* kFormats[] = {"jsonl", "json", "csv", "tsv"};
    ReadRowsOptions options;
    options.format = kFormats[data[0] % 4];
    options.skip_bad_rows = (data[0] & 4) != 0;
    options.max_row_bytes = 4096;
    try {
        const TrainingRows rows = read_rows({reinterpret_cast<const char*>(data) + 1, size - 1}, "input", options);
        options.format = "json";
        options.max_row_bytes = std::size_t{1} << 20;
        options.kind = rows.kind == RowKind::kLabelled ? RowKind::kAny : rows.kind;
        std::string list = "[";
        for (const TrainingRow& row : rows.rows) list += (list.size() > 1 ? "," : "") + row_json(row);
        const TrainingRows again = read_rows(list + "]", "again", options);
        if (again.rows.size() != rows.rows.size()) std::abort();
        for (std::size_t i = 0; i < rows.rows.size(); ++i)
            if (row_json(again.rows[i]) != row_json(rows.rows[i])) std::abort();
    } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument) std::abort();
    }
    return 0;
}
