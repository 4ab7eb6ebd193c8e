// rag::read_training_rows: files of training data as rows. rag::train: rows and settings in, a trained model in a folder out. Any
// thread at any time; trainings at the same time need different folders.
#pragma once

#include <rag/error.hpp>

#include <cstdint>
#include <exception>
#include <functional>
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

using RowsHandle = Handle<rag_training_rows, rag_training_rows_free>;

/// Opens rows with `read`, which is given the C options.
template <typename Read>
RowsHandle open_rows(const TrainingOptions& options, Read read) {
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
    return RowsHandle(handle);
}

template <typename Read>
TrainingRows training_rows(const TrainingOptions& options, Read read) {
    const RowsHandle owner = open_rows(options, read);
    rag_training_rows* const handle = owner.get();
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

/// Rows as a training takes them, without copies of them here.
class TrainingData {
  public:
    static TrainingData read(std::string_view path, const TrainingOptions& options = {}) {
        return TrainingData(detail::open_rows(options, [&](const rag_training_options& raw, rag_training_rows** rows) {
            return rag_training_rows_read(detail::text(path), &raw, rows);
        }));
    }
    /// Of memory; `name` stands for the file's in messages, options.format is needed.
    static TrainingData read_bytes(std::string_view bytes, std::string_view name, const TrainingOptions& options) {
        return TrainingData(detail::open_rows(options, [&](const rag_training_options& raw, rag_training_rows** rows) {
            return rag_training_rows_read_bytes(bytes.data(), bytes.size(), detail::text(name), &raw, rows);
        }));
    }
    std::size_t size() const noexcept { return rag_training_rows_count(handle_.get()); }
    RowKind kind() const noexcept { return static_cast<RowKind>(rag_training_rows_kind(handle_.get())); }
    /// Of the rows, as a run's manifest.json has it.
    std::string sha256() const {
        rag_string* sum = nullptr;
        detail::check(rag_training_rows_sha256(handle_.get(), &sum));
        return detail::take(sum);
    }
    const rag_training_rows* handle() const noexcept { return handle_.get(); }

  private:
    explicit TrainingData(detail::RowsHandle handle) : handle_(std::move(handle)) {}
    detail::RowsHandle handle_;
};

/// What a run reports after each step and each evaluation; fields as in rag_training_step.
struct TrainingStep {
    bool evaluated = false;
    std::uint64_t step = 0, steps = 0;
    double epoch = 0, loss = 0, learning_rate = 0, gradient_norm = 0, tokens_per_second = 0, seconds = 0;
    std::uint64_t rss_bytes = 0;
    std::string metrics_json;  ///< of an evaluation
};

/// Both are called on the thread that called train(), and may throw: the run stops, with a checkpoint of its last whole step, and
/// the exception goes on to the caller.
struct TrainCallbacks {
    std::function<bool(const TrainingStep&)> on_step;  ///< false stops
    std::function<bool()> poll;                        ///< asked at least every 50 ms; false stops
};

namespace detail {

class TrainBridge {
  public:
    explicit TrainBridge(const TrainCallbacks& callbacks) : callbacks_(callbacks) {}
    void fill(rag_train_options& raw) {
        if (callbacks_.on_step) raw.on_step = &TrainBridge::step;
        if (callbacks_.poll) raw.poll = &TrainBridge::poll;
        raw.user_data = this;
    }
    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    template <typename Ask>
    int ask(Ask ask) noexcept {
        try {
            return ask() ? 0 : 1;
        } catch (...) {
            error_ = std::current_exception();
            return 1;
        }
    }
    static int step(const rag_training_step* raw, void* user_data) noexcept {
        auto* self = static_cast<TrainBridge*>(user_data);
        return self->ask([&] {
            TrainingStep step;
            step.evaluated = raw->evaluated != 0;
            step.step = raw->step;
            step.steps = raw->steps;
            step.epoch = raw->epoch;
            step.loss = raw->loss;
            step.learning_rate = raw->learning_rate;
            step.gradient_norm = raw->gradient_norm;
            step.tokens_per_second = raw->tokens_per_second;
            step.seconds = raw->seconds;
            step.rss_bytes = raw->rss_bytes;
            step.metrics_json = copy(raw->metrics_json);
            return self->callbacks_.on_step(step);
        });
    }
    static int poll(std::uint64_t, std::uint64_t, void* user_data) noexcept {
        auto* self = static_cast<TrainBridge*>(user_data);
        return self->ask([&] { return self->callbacks_.poll(); });
    }
    const TrainCallbacks& callbacks_;
    std::exception_ptr error_;
};

}  // namespace detail

/// Trains `model` (a folder or GGUF file) for a task ("causal_lm", "classification", "contrastive", "rerank", "distill",
/// "masked_lm") on `data`; `eval` may be null. `config_json`: settings as rag_train_config lists them, "output" is needed. The
/// result is JSON, as rag_train says. `caller_json`: an object that manifest.json keeps. `drop_unused`: settings that are not
/// used get their defaults and a warning instead of an error. Throws Error, Stopped.
inline std::string train(std::string_view model, std::string_view task, const TrainingData& data, const TrainingData* eval,
                         std::string_view config_json, const TrainCallbacks& callbacks = {}, std::string_view caller_json = {},
                         bool drop_unused = false) {
    rag_train_options raw = RAG_TRAIN_OPTIONS_INIT;
    raw.config_json = detail::text(config_json);
    raw.drop_unused = drop_unused ? 1 : 0;
    if (!caller_json.empty()) raw.caller_json = detail::text(caller_json);
    detail::TrainBridge bridge(callbacks);
    bridge.fill(raw);
    rag_string* result = nullptr;
    const rag_status status = rag_train(detail::text(model), detail::text(task), data.handle(),
                                        eval == nullptr ? nullptr : eval->handle(), &raw, &result);
    bridge.rethrow();
    detail::check(status);
    return detail::take(result);
}

/// Every setting of a task as JSON: those given, checked, and what a run takes for the rest. Throws Error naming the setting.
inline std::string train_config(std::string_view task, std::string_view config_json = "{}") {
    rag_string* config = nullptr;
    detail::check(rag_train_config(detail::text(task), detail::text(config_json), &config));
    return detail::take(config);
}

}  // namespace rag
