// rag_training_rows_*: files of training data over C.
#include "arguments.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "train/manifest.hpp"
#include "training_handles.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::given;
using rag::capi::guard;
using rag::capi::optional_name;
using rag::capi::require;
using rag::capi::text_of;
using rag::capi::view;

namespace {

core::ReadRowsOptions options_of(const rag_training_options* options) {
    const auto known = rag::capi::read_struct(options, rag_training_options RAG_TRAINING_OPTIONS_INIT, "rag_training_options");
    core::ReadRowsOptions out;
    if (known.kind > RAG_ROWS_RETRIEVAL)
        fail(Code::kInvalidArgument, "options.kind is {}, it must be 0 to {}", known.kind, static_cast<int>(RAG_ROWS_RETRIEVAL));
    out.kind = static_cast<core::RowKind>(known.kind);
    out.format = text_of(known.format, "options.format");
    out.encoding = text_of(known.encoding, "options.encoding");
    out.columns.text = optional_name(known.text_column, "options.text_column");
    out.columns.pair = optional_name(known.pair_column, "options.pair_column");
    out.columns.label = optional_name(known.label_column, "options.label_column");
    out.columns.query = optional_name(known.query_column, "options.query_column");
    out.columns.positive = optional_name(known.positive_column, "options.positive_column");
    out.columns.negatives = optional_name(known.negatives_column, "options.negatives_column");
    out.columns.messages = optional_name(known.messages_column, "options.messages_column");
    for (const std::string_view label : rag::capi::texts_of(known.labels, known.label_count, "options.labels"))
        out.labels.emplace_back(label);
    if (given(known.split)) out.split = text_of(known.split, "options.split");
    if (known.max_row_bytes != 0) out.max_row_bytes = known.max_row_bytes;
    out.skip_bad_rows = known.skip_bad_rows != 0;
    out.progress = rag::capi::progress_of(known.progress, known.user_data);
    return out;
}

}  // namespace

rag_status rag_training_rows_read(rag_text path, const rag_training_options* options, rag_training_rows** rows) noexcept {
    return guard([&] {
        require(rows, "rows") = nullptr;
        *rows = new rag_training_rows{core::read_rows(rag::capi::path_of(path, "path"), options_of(options))};
    });
}

rag_status rag_training_rows_read_bytes(const void* bytes, size_t size, rag_text name, const rag_training_options* options,
                                        rag_training_rows** rows) noexcept {
    return guard([&] {
        require(rows, "rows") = nullptr;
        rag::capi::require_array(static_cast<const char*>(bytes), size, "bytes");
        const std::string_view content(static_cast<const char*>(bytes), size);
        *rows = new rag_training_rows{core::read_rows(content, std::string(text_of(name, "name")), options_of(options))};
    });
}

uint32_t rag_training_rows_kind(const rag_training_rows* rows) noexcept {
    return rows == nullptr ? 0 : static_cast<uint32_t>(rows->rows.kind);
}

size_t rag_training_rows_count(const rag_training_rows* rows) noexcept {
    return rows == nullptr ? 0 : rows->rows.rows.size();
}

rag_status rag_training_rows_at(const rag_training_rows* rows, size_t index, rag_string** json, uint64_t* line) noexcept {
    return guard([&] {
        if (line != nullptr) *line = 0;
        require(json, "json") = nullptr;
        const auto& known = require(rows, "rows").rows.rows;
        if (index >= known.size()) fail(Code::kInvalidArgument, "index is {}, there are {} rows", index, known.size());
        *json = new rag_string{core::row_json(known[index])};
        if (line != nullptr) *line = known[index].line;
    });
}

size_t rag_training_rows_label_count(const rag_training_rows* rows) noexcept {
    return rows == nullptr ? 0 : rows->rows.labels.size();
}

rag_text rag_training_rows_label_at(const rag_training_rows* rows, size_t index) noexcept {
    if (rows == nullptr || index >= rows->rows.labels.size()) return {nullptr, 0};
    return view(rows->rows.labels[index]);
}

uint64_t rag_training_rows_skipped_count(const rag_training_rows* rows) noexcept {
    return rows == nullptr ? 0 : rows->rows.skipped_count;
}

rag_text rag_training_rows_skipped_at(const rag_training_rows* rows, size_t index, uint64_t* line) noexcept {
    if (line != nullptr) *line = 0;
    if (rows == nullptr || index >= rows->rows.skipped.size()) return {nullptr, 0};
    if (line != nullptr) *line = rows->rows.skipped[index].line;
    return view(rows->rows.skipped[index].reason);
}

rag_status rag_training_rows_sha256(const rag_training_rows* rows, rag_string** sum) noexcept {
    return guard([&] {
        require(sum, "sum") = nullptr;
        *sum = new rag_string{core::rows_sha256(require(rows, "rows").rows)};
    });
}

void rag_training_rows_free(rag_training_rows* rows) noexcept {
    delete rows;
}
