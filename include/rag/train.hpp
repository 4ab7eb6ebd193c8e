// rag::read_training_rows: files of training data as rows. Any thread at any time.
#pragma once

#include <rag/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag {

enum class RowKind : std::uint32_t {
    kAny = RAG_ROWS_ANY,
    kText = RAG_ROWS_TEXT,
    kLabelled = RAG_ROWS_LABELLED,
    kChat = RAG_ROWS_CHAT,
    kRetrieval = RAG_ROWS_RETRIEVAL
};

struct TrainingOptions {
    RowKind kind = RowKind::kAny;  ///< what rows must be; kAny: what the first row is
    std::string format;            ///< a suffix without its dot; empty: the file's
    std::string encoding;          ///< empty: found, as for documents
    std::string text_column, pair_column, label_column, query_column, positive_column, negatives_column, messages_column;
    std::vector<std::string> labels;  ///< those that may be; empty: any
    std::string split = "train";      ///< of a BEIR folder
    std::uint64_t max_row_bytes = std::uint64_t{1} << 20;
    bool skip_bad_rows = false;  ///< false: the first bad row is an Error; true: bad rows are counted and named
    Progress progress;           ///< bytes read, bytes in all
};

struct TrainingRow {
    std::string json;        ///< an object with the members of its kind, see rag_row_kind
    std::uint64_t line = 0;  ///< in the file, from 1
};

struct SkippedRow {
    std::uint64_t line = 0;
    std::string reason;
};

struct TrainingRows {
    RowKind kind = RowKind::kAny;
    std::vector<TrainingRow> rows;
    std::vector<std::string> labels;  ///< of labelled rows: those given, or those that occur, sorted
    std::uint64_t skipped_count = 0;
    std::vector<SkippedRow> skipped;  ///< the first 1,000
};

namespace detail {

template <typename Read>
TrainingRows training_rows(const TrainingOptions& options, Read read) {
    const auto optional = [](const std::string& value) { return value.empty() ? rag_text{nullptr, 0} : text(value); };
    rag_training_options raw = RAG_TRAINING_OPTIONS_INIT;
    raw.kind = static_cast<std::uint32_t>(options.kind);
    raw.format = optional(options.format);
    raw.encoding = optional(options.encoding);
    raw.text_column = optional(options.text_column);
    raw.pair_column = optional(options.pair_column);
    raw.label_column = optional(options.label_column);
    raw.query_column = optional(options.query_column);
    raw.positive_column = optional(options.positive_column);
    raw.negatives_column = optional(options.negatives_column);
    raw.messages_column = optional(options.messages_column);
    std::vector<rag_text> labels;
    for (const std::string& label : options.labels) labels.push_back(text(label));
    raw.labels = labels.data();
    raw.label_count = labels.size();
    raw.split = optional(options.split);
    raw.max_row_bytes = options.max_row_bytes;
    raw.skip_bad_rows = options.skip_bad_rows ? 1 : 0;
    ProgressBridge bridge(options.progress);
    raw.progress = bridge.function();
    raw.user_data = bridge.data();
    rag_training_rows* handle = nullptr;
    const rag_status status = read(raw, &handle);
    bridge.rethrow();
    check(status);
    const Handle<rag_training_rows, rag_training_rows_free> owner(handle);
    TrainingRows out;
    out.kind = static_cast<RowKind>(rag_training_rows_kind(handle));
    const std::size_t count = rag_training_rows_count(handle);
    for (std::size_t i = 0; i < count; ++i) {
        rag_string* json = nullptr;
        TrainingRow row;
        check(rag_training_rows_at(handle, i, &json, &row.line));
        row.json = take(json);
        out.rows.push_back(std::move(row));
    }
    for (std::size_t i = 0; i < rag_training_rows_label_count(handle); ++i)
        out.labels.push_back(copy(rag_training_rows_label_at(handle, i)));
    out.skipped_count = rag_training_rows_skipped_count(handle);
    SkippedRow skipped;
    for (std::size_t i = 0;; ++i) {
        const rag_text reason = rag_training_rows_skipped_at(handle, i, &skipped.line);
        if (reason.data == nullptr) break;
        skipped.reason = copy(reason);
        out.skipped.push_back(skipped);
    }
    return out;
}

}  // namespace detail

/// Reads .jsonl, .json (a list), .csv, .tsv or a folder of BEIR; shapes as rag_training_rows_read lists them. Throws Error that
/// names the file, the line and what is wrong.
inline TrainingRows read_training_rows(std::string_view path, const TrainingOptions& options = {}) {
    return detail::training_rows(options, [&](const rag_training_options& raw, rag_training_rows** rows) {
        return rag_training_rows_read(detail::text(path), &raw, rows);
    });
}

/// The same for bytes in memory; `name` stands for the file's.
inline TrainingRows read_training_rows(std::string_view bytes, std::string_view name, const TrainingOptions& options) {
    return detail::training_rows(options, [&](const rag_training_options& raw, rag_training_rows** rows) {
        return rag_training_rows_read_bytes(bytes.data(), bytes.size(), detail::text(name), &raw, rows);
    });
}

}  // namespace rag
