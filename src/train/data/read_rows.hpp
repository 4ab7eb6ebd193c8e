// Files of training data as rows: .jsonl, .json (a list), .csv and .tsv, and folders of BEIR (corpus.jsonl, queries.jsonl,
// qrels/SPLIT.tsv). Everything read is hostile; what is wrong is one line that names the file and the line, before a training
// begins. Thread rule: a pure function of the files.
#pragma once

#include <filesystem>

#include "core/cancel.hpp"
#include "train/data/row_shapes.hpp"

namespace rag::core {

struct ReadRowsOptions {
    RowKind kind = RowKind::kAny;
    std::string format = {};    // a suffix without its dot; empty: the file's
    std::string encoding = {};  // as for documents: text/readers/reader.hpp
    RowColumns columns = {};
    std::vector<std::string> labels = {};              // of kLabelled: those that may be; empty: any
    std::string split = "train";                       // of a BEIR folder
    std::size_t max_row_bytes = std::size_t{1} << 20;  // of a row's texts together; a longer one is a bad row
    bool skip_bad_rows = false;                        // false: the first bad row is an error
    Progress progress = {};                            // bytes read, bytes in all
};

struct SkippedRow {
    std::uint64_t line = 0;
    std::string reason;
};

inline constexpr std::size_t kMaxSkippedKept = 1000;

struct TrainingRows {
    std::string source;      // the file's name, for messages
    ReadRowsOptions read;    // how they were read, without progress
    bool in_memory = false;  // `source` is only a name
    RowKind kind = RowKind::kText;
    std::vector<TrainingRow> rows;
    std::uint64_t skipped_count = 0;
    std::vector<SkippedRow> skipped;  // the first kMaxSkippedKept
    std::vector<std::string> labels;  // of kLabelled: those of the options, or those that occur, sorted
};

/// kNotFound, kIo; kUnsupported: a format that is none of these; kInvalidArgument: a bad row (file, line, reason; all rows of a
/// file are of one kind), no row at all, one class only, labels given for another kind; Stopped.
TrainingRows read_rows(const std::filesystem::path& path, const ReadRowsOptions& options);
/// Of memory; options.format is needed, `name` stands for the file's.
TrainingRows read_rows(std::string_view bytes, const std::string& name, const ReadRowsOptions& options);

/// What the readers of formats have in common: rows that are good are kept, others reported. Used by one thread.
class RowCollector {
  public:
    RowCollector(const ReadRowsOptions& options, std::string file);

    /// Takes what `make` gives; what it throws as kInvalidArgument is a bad row.
    template <typename Make>
    void take(std::uint64_t line, Make make) {
        try {
            add(make(), line);
        } catch (const Error& error) {
            bad(error, line);
        }
    }
    RowKind kind() const noexcept { return kind_; }
    /// The rows, or kInvalidArgument as read_rows says.
    TrainingRows finish();

  private:
    void add(TrainingRow row, std::uint64_t line);
    void bad(const Error& error, std::uint64_t line);

    const ReadRowsOptions& options_;
    std::string file_;
    RowKind kind_;
    TrainingRows out_;
};

/// In retrieval_folder.cpp.
TrainingRows read_retrieval_folder(const std::filesystem::path& folder, const ReadRowsOptions& options);

}  // namespace rag::core
