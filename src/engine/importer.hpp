// Import: lines of JSON (exchange/document_line.hpp) become documents, checked one by one and stored in batches, so that memory
// is that of a batch and a bad line is named by its number. For engine_transfer.cpp. Thread rule: one thread, as Writer.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/cancel.hpp"
#include "engine/writer.hpp"
#include "exchange/document_line.hpp"
#include "exchange/line_reader.hpp"

namespace rag::core {

class Importer {
  public:
    /// `progress`: in bytes of the file.
    Importer(Store& store, Indexes& indexes, const EngineOptions& options, const std::filesystem::path& path,
             std::size_t batch_documents, const Progress& progress);
    /// The number of documents that were read; all are stored then.
    std::uint64_t run();

  private:
    /// A line and what points into it.
    struct Read {
        LineDocument line;
        std::vector<ChunkInput> chunks;
        DocumentInput input;
    };

    void take(const LineHeader& header);
    Metric take_metric(const LineHeader& header);
    void take(LineDocument&& document);
    void take(const LineLink& link);
    void convert(Read& read) const;
    void store();
    void store_links();
    std::optional<ChunkEnd> find_end(const std::string& id, std::int64_t chunk) const;

    Store& store_;
    const EngineOptions& options_;
    const Progress& progress_;
    const std::size_t batch_documents_;
    LineReader reader_;
    Progress in_bytes_;  // what Writer reports to: the batch counts when it is stored
    Writer writer_;
    bool same_embedder_ = true;  // the file's vectors are as this knowledge base's own
    std::string fingerprint_;    // of the file's embedder; empty: all its vectors were given
    std::string made_by_;        // its name, for messages
    Metric made_for_ = Metric::kCosine;
    std::deque<Read> batch_;
    std::vector<CheckedDocument> checked_;
    std::unordered_set<std::string> ids_;  // of the batch
    std::size_t bytes_ = 0;                // of the batch
    std::vector<LinkRow> links_;           // of lines behind those of the batch, which is stored by then
    std::uint64_t stored_ = 0;
    std::uint64_t documents_ = 0;
};

}  // namespace rag::core
