// The two derived indexes of an engine and their life: loaded when first needed, repaired by comparing their ids with the chunks
// in the database, kept in step by the writer, written to files that the database lists.
//
// What makes repair simple: keys never come back, and a chunk never changes, so an index that has the same keys as the database
// has the same content. That holds for keys of transactions that failed or were killed, too, since a file may have been written
// while they were under way: highest_key(). A lost, torn or damaged file costs time, never knowledge.
//
// A thread of this object's builds the graphs of new vectors, merges segments, and writes the files when much is new. Nobody
// waits for it: vectors without a graph are searched exactly, and a file that was not written is made again from the database.
//
// Order of locks: saving_, change_, then views of the store. Whoever holds a view must not call in here.
// Thread rule: bm25() and vectors() from any thread, the indexes they give may be searched by any; change_ makes writers and
// loaders take turns.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/background.hpp"
#include "core/cancel.hpp"
#include "core/courtesy.hpp"
#include "core/id_set.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/vector/vector_index.hpp"
#include "store/store.hpp"

namespace rag::core {

/// The title that a chunk is found by: its document's and the headings above it, without saying one twice.
std::string heading_of(std::string_view title, std::string_view title_path);

/// What the embedder sees of a chunk; BM25 sees both as fields.
std::string indexed_text(std::string_view title, std::string_view text);

/// Chunks to be added; `vectors` is [embedded, dimension].
struct NewChunks {
    std::vector<std::int64_t> keys;
    std::vector<std::string> titles;  // heading_of each
    std::vector<std::string> texts;
    std::vector<std::int64_t> embedded;
    std::vector<float> vectors;
};

/// In meta: the sequence number of the exchange that all stored vectors go back to (another embedder's took the place of the
/// first ones), none before the first. Chunks then have other vectors under the same keys, so an index of vectors from before is
/// no beginning for one of today's.
inline constexpr std::string_view kVectorsFromMeta = "vectors_from";

class Indexes {
  public:
    class Exchange;

    Indexes(Store& store, VectorType vector_type, const Bm25Options& bm25_options);

    /// Loaded and repaired on first use; what another process committed since is taken over (read-only engines).
    std::shared_ptr<Bm25Index> bm25(const Progress& progress = {});
    /// Null while no chunk has a vector.
    std::shared_ptr<VectorIndex> vectors(const Progress& progress = {});
    /// Those in memory already, or null; for statistics.
    std::shared_ptr<Bm25Index> loaded_bm25() const;
    std::shared_ptr<VectorIndex> loaded_vectors() const;
    const Bm25Options& bm25_options() const noexcept { return bm25_options_; }

    /// The highest key that an index holds or held, whether or not its transaction came to an end; new chunks take higher ones.
    /// `embedded`: some of them have vectors. For the writer, between store views.
    std::int64_t highest_key(bool embedded, const Progress& progress);
    /// Adds chunks to both indexes; on failure to neither. For the writer, between store views.
    void add(const NewChunks& chunks, std::size_t dimension, Metric metric, const Progress& progress);
    /// For what is in an index though its transaction failed, or not any more in the database. Never throws: an index that cannot
    /// be kept in step is dropped and repaired at its next use.
    void remove(std::span<const std::int64_t> keys) noexcept;
    /// To be called before the transaction that replaces or removes these chunks commits; remove() ends it.
    void announce(std::span<const std::int64_t> keys);
    /// The announced chunks, or null. They go in one transaction: a search that misses one of them in the database knows that
    /// all are gone, and need not find out one by one.
    std::shared_ptr<const IdSet> leaving() const;
    /// Counts removals as they begin and end: a search during which it changed may have seen one index before, one after.
    std::uint64_t removals() const noexcept { return removals_.load(); }

    /// Until it is released neither index changes, so that a writer ends at most one commit. For a search, before store views.
    [[nodiscard]] std::unique_lock<std::mutex> hold() const { return std::unique_lock(change_); }

    /// Writes both to files where enough changed (or `always`), and lists them. Only for writers of a folder.
    void save(bool always, const Progress& progress = {});
    void compact(const Progress& progress);
    /// Searches are its guests; the thread of this object gives way to them, and writers should.
    Courtesy& courtesy() noexcept { return courtesy_; }
    /// Ends what the thread does, within 100 ms; what it had not finished is left for the next addition or opening.
    void stop() noexcept { background_.stop(); }

    /// Compares the indexes with the database and the files with their checksums. `rebuilt` names damaged files.
    void verify(const Progress& progress, std::vector<std::string>& problems, std::vector<std::string>& rebuilt);

  private:
    template <typename Index>
    struct Slot {
        std::shared_ptr<Index> index;  // guarded by pointers_
        std::int64_t last_key = 0;     // what is committed up to here is known to the index; guarded by change_, as the rest
        std::uint64_t unsaved = 0;     // chunks added and removed since its file
        bool has_file = false;
        std::int64_t file_sequence = 0;  // of the file that it came from, or that was tried
        std::int64_t from = 0;           // of vectors: see kVectorsFromMeta
    };

    bool work(const Progress& progress);
    VectorIndexOptions vector_options(std::size_t dimension, Metric metric) const;
    void refresh();
    bool take_written(const VectorIndex& index, StoreView& view);
    void remove_locked(std::span<const std::int64_t> keys) noexcept;
    std::unique_ptr<Bm25Index> load_bm25(const DerivedFile& file);
    std::unique_ptr<VectorIndex> load_vectors(const DerivedFile& file, const VectorIndexOptions& options);
    static void fill(Bm25Index& index, std::span<const std::int64_t> keys, StoreView& view, const Progress& progress);
    void fill(VectorIndex& index, std::span<const std::int64_t> keys, StoreView& view, const Progress& progress) const;
    void sync_bm25(Bm25Index& index, StoreView& view, const Progress& progress);
    void sync_vectors(VectorIndex& index, StoreView& view, const Progress& progress);
    std::shared_ptr<Bm25Index> open_bm25(StoreView& view, const Progress& progress);
    std::shared_ptr<VectorIndex> open_vectors(StoreView& view, std::size_t dimension, Metric metric, const Progress& progress);
    template <typename Index, typename Worth, typename Write>
    void save_slot(const char* kind, Slot<Index>& slot, const Worth& worth, const Write& write);
    template <typename Worth>
    void save_where(const Worth& worth, const Progress& progress);

    Store& store_;
    const VectorType vector_type_;
    const Bm25Options bm25_options_;  // as an index gives them: a file that says others is not taken
    std::mutex saving_;               // held while files are written
    mutable std::mutex change_;       // held while an index is loaded or changed
    mutable std::mutex pointers_;     // held to copy a pointer
    Slot<Bm25Index> bm25_;
    Slot<VectorIndex> vectors_;
    std::int64_t highest_key_ = 0;    // see highest_key(); guarded by change_
    std::int64_t seen_version_ = -1;  // Store::data_version() when the indexes were last compared; guarded by change_
    std::atomic<std::uint64_t> removals_{0};
    std::shared_ptr<const IdSet> leaving_;           // guarded by pointers_
    std::atomic<std::int64_t> checked_version_{-1};  // the same, to be read without the lock
    Courtesy courtesy_;
    Background background_;  // the last: it ends before what it works on
};

/// Other vectors for all chunks, in the transaction of a re-embedding: while it lives, nobody else changes the indexes, and
/// searches go on with those there are. Order: made before the transaction begins; build() with it; commit; finish(). Without
/// finish() the indexes are as they were. For the writer.
class Indexes::Exchange {
  public:
    Exchange(Indexes& indexes, const Progress& progress);
    /// See Indexes::highest_key().
    std::int64_t highest_key() const noexcept { return indexes_.highest_key_; }
    /// New indexes of what `view` shows, whose vectors have this dimension: of the vectors, and, where chunks have other keys, of
    /// the words.
    void build(StoreView& view, std::size_t dimension, std::int64_t vectors_from, bool words, const Progress& progress);
    void finish() noexcept;

  private:
    Indexes& indexes_;
    std::unique_lock<std::mutex> saving_;
    std::unique_lock<std::mutex> change_;
    std::shared_ptr<VectorIndex> vectors_;
    std::shared_ptr<Bm25Index> bm25_;  // null: the present one stays
    std::int64_t last_key_ = 0;
    std::int64_t from_ = 0;
};

/// The dimension of the stored vectors; 0 while there is none. kCorrupt if the database holds nonsense.
std::size_t stored_dimension(StoreView& view);

}  // namespace rag::core
