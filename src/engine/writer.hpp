// Writes batches of documents for one call of add, upsert or import. Order of a write: check everything; embed (no lock that a
// search waits for); put the new chunks into the indexes under keys that no search will show yet; one SQLite transaction; then
// take what was replaced out of the indexes. So a search sees either the old state or the new one, and a crash leaves one of them
// on disk. Thread rule: one thread, which holds the engine's `writing`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/indexes.hpp"
#include "engine/prepare.hpp"

namespace rag::core {

/// Bytes of text and vectors in one transaction, whatever the number of documents.
inline constexpr std::size_t kBatchBytes = std::size_t{64} << 20;

/// What made vectors that do not come from callers.
struct VectorOrigin {
    std::string fingerprint;
    std::string name;
};

class Writer {
  public:
    /// `progress` counts documents of one run().
    Writer(Store& store, Indexes& indexes, const EngineOptions& options, const Progress& progress, bool replace);

    /// All of them, in transactions of at most `batch_documents`; `ids` gets the ids of what is stored.
    void run(std::span<const DocumentInput> documents, std::size_t batch_documents, std::vector<std::string>& ids);

    /// For import, which has checked its documents with preparation(): one transaction.
    Preparation& preparation() { return preparation_; }
    void write_batch(std::span<const CheckedDocument> batch);
    /// The vectors of chunks that are given with documents were made by `origin`, which the knowledge base then keeps to.
    void set_origin(VectorOrigin origin) { origin_ = std::move(origin); }
    /// The metric that the knowledge base, which has no vectors yet, gets with what is written first.
    void set_metric(Metric metric) {
        metric_ = metric;
        preparation_.set_metric(metric);
    }
    void require_vectors(std::span<const CheckedDocument> documents);

  private:
    struct Step;
    void check_new(const std::vector<CheckedDocument>& documents);
    std::vector<CheckedDocument> changed_of(std::span<const CheckedDocument> batch, std::vector<CheckedDocument>& attributes);
    static bool is_whole(StoreView& view, const DocumentHead& head);
    bool is_kept(StoreView& view, const DocumentHead& head, const CheckedDocument& document) const;
    NewChunks plan(const std::vector<PreparedDocument>& prepared, std::vector<Step>& steps, const Progress& progress);
    std::vector<std::int64_t> commit(const std::vector<Step>& steps, const std::vector<CheckedDocument>& attributes,
                                     std::size_t dimension);
    void store_document(WriteTransaction& transaction, const Step& step, std::int64_t now, std::vector<std::int64_t>& outdated);
    static void make_room(WriteTransaction& transaction, const Step& step, std::vector<std::int64_t>& outdated);
    void keep_chunk_settings(WriteTransaction& transaction, const std::vector<Step>& steps);
    void set_vectors_meta(WriteTransaction& transaction, std::size_t dimension);

    Store& store_;
    Indexes& indexes_;
    const EngineOptions& options_;
    const Progress& progress_;
    const bool replace_;
    Pace pace_;
    Preparation preparation_;
    std::optional<VectorOrigin> origin_;
    std::optional<Metric> metric_;  // to be stored
    std::uint64_t done_ = 0;
    std::uint64_t total_ = 0;
};

}  // namespace rag::core
