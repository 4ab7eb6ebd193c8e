// A vector index: int64 ids and float vectors in, nearest neighbours out. Sealed segments carry an HNSW graph each, new rows
// sit in a tail that is scanned exactly, removed rows are tombstones until a merge drops them, and every live row can be found.
// Thread rule: search, get, contains, ids, stats, save from any number of threads while others write; writers (add, remove,
// seal, compact) wait for one another. A search sees the list of segments of the moment it began, and rows added or removed
// meanwhile or not. Not for text, metadata or durability: the store holds the truth, a file of this is derived from it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/cancel.hpp"
#include "index/vector/segment.hpp"

namespace rag::core {

struct VectorIndexOptions {
    std::size_t dimension = 0;  // 1 to 65,536
    Metric metric = Metric::kCosine;
    VectorType type = VectorType::kFloat32;  // kInt8: codes for the graph, floats kept and used for the scores
    std::size_t m = 16;                      // neighbours a row; 2 to 512
    std::size_t ef_construction = 200;       // beam while building; 1 to 65,536
    std::uint64_t seed = 100;
    // Not in the file:
    std::size_t tail_limit = 4096;  // rows after which add() seals the tail
    std::size_t threads = 1;        // that build a graph; 0 all. With more than one, equal input may give unequal graphs.
};

struct VectorIndexStats {
    std::size_t live = 0;
    std::size_t dead = 0;  // tombstones still holding memory
    std::size_t segments = 0;
    std::size_t tail_rows = 0;
    std::size_t stragglers = 0;  // rows scored in every search of their segment, because no link leads to them
    std::size_t vector_bytes = 0;
    std::size_t graph_bytes = 0;  // with codes
};

class VectorIndex {
  public:
    /// Throws kInvalidArgument naming the option that is out of range.
    explicit VectorIndex(const VectorIndexOptions& options);
    ~VectorIndex();
    VectorIndex(const VectorIndex&) = delete;
    VectorIndex& operator=(const VectorIndex&) = delete;

    const VectorIndexOptions& options() const noexcept { return options_; }

    /// Adds ids.size() rows; `vectors` is [ids.size(), dimension]. They are found from then on. Seals the tail when it is over
    /// the limit, and merges segments, which takes the time of building a graph (and, meanwhile, the memory of its rows again);
    /// `progress` counts rows of that.
    /// Throws, with nothing added: kInvalidArgument (size; NaN or infinity; length 0 or below 1.2e-38 under cosine; too long
    /// for float32: names row and value), kAlreadyExists (names the id), Stopped before the first row, kOutOfMemory.
    /// Throws Stopped while sealing: all rows are added, their graph is left to the next add() or seal().
    void add(std::span<const std::int64_t> ids, std::span<const float> vectors, const Progress& progress = {});

    /// Removes what is there of `ids`; returns how many that were. May rebuild segments of which more than 30% is dead.
    std::size_t remove(std::span<const std::int64_t> ids);

    std::size_t size() const;
    bool contains(std::int64_t id) const;
    /// Copies the vector as it was given to add() (under cosine from its unit vector and length: equal to 1e-6 relative) into
    /// out[dimension]; false when there is no such id.
    bool get(std::int64_t id, std::span<float> out) const;
    /// All live ids, ascending.
    std::vector<std::int64_t> ids() const;

    /// The min(k, live rows that `filter` allows) nearest rows, best first; equal scores by id. Scores: cosine, inner product,
    /// negative squared L2. `ef` is the beam of the walk (0: default_ef(k)); larger is more exact and slower. Where few rows
    /// are allowed the search is exact. Throws kInvalidArgument for the query.
    std::vector<Neighbour> search(std::span<const float> query, std::size_t k, std::size_t ef = 0,
                                  const IdSet* filter = nullptr) const;
    /// The same by scoring every row: the oracle.
    std::vector<Neighbour> search_exact(std::span<const float> query, std::size_t k, const IdSet* filter = nullptr) const;
    static std::size_t default_ef(std::size_t k) noexcept;

    /// Turns the tail into a segment. Stopped or failed: nothing changed.
    void seal(const Progress& progress = {});
    /// One segment of all live rows, without tombstones. Stopped or failed: nothing changed.
    void compact(const Progress& progress = {});

    /// A number of the caller's (the store's sequence number) that goes into the file.
    std::uint64_t sequence() const noexcept { return sequence_.load(); }
    void set_sequence(std::uint64_t value) noexcept { sequence_.store(value); }

    /// Writes a file that replaces `file` as a whole or not at all (kIo). Waits for writers. The same rows in the same segments
    /// give the same bytes. Format: vector_file.hpp.
    void save(const std::filesystem::path& file) const;
    /// Maps a file; vectors stay in it, so it must not be changed in place (save() never does). Of `expected`, dimension, metric
    /// and type must agree, tail_limit and threads are taken. Throws kNotFound, kIo, kVersion (newer: names both), kCorrupt
    /// (names file and block), kInvalidArgument (not as expected).
    static std::unique_ptr<VectorIndex> load(const std::filesystem::path& file,
                                             const std::optional<VectorIndexOptions>& expected = {});
    /// The bytes of a file; `owner` keeps them alive, `name` is for messages.
    static std::unique_ptr<VectorIndex> parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                              const std::string& name, const std::optional<VectorIndexOptions>& expected = {});
    std::vector<std::byte> serialize() const;

    VectorIndexStats stats() const;
    /// Checks that ids, tombstones, vectors, codes and graphs agree with one another; on failure `why` names the first fault.
    bool verify(std::string& why) const;

  private:
    struct Place {
        Rows* rows;
        std::uint32_t row;
    };
    using Segments = std::vector<VectorSegment>;

    std::shared_ptr<const Segments> snapshot() const;
    GraphOptions graph_options() const;
    void fill_query(std::span<const float> query, Scratch& scratch) const;
    std::vector<Neighbour> run(std::span<const float> query, std::size_t k, std::size_t ef, const IdSet* filter,
                               bool exact) const;
    double check_vector(const float* values, std::size_t row, float& length) const;
    void check_new_ids(std::span<const std::int64_t> ids) const;
    void append(std::span<const std::int64_t> ids, std::span<const float> vectors, std::span<const float> lengths,
                std::span<const double> factors);
    std::vector<VectorSegment> tail() const;
    void rebuild(const std::vector<VectorSegment>& sources, const Progress& progress);
    void publish(const std::vector<VectorSegment>& removed, const std::optional<VectorSegment>& added);
    void maintain(const Progress& progress);
    void adopt(Segments segments, const std::string& name);

    const VectorIndexOptions options_;
    mutable std::mutex writer_;               // held by add, remove, seal, compact, save from beginning to end
    mutable std::shared_mutex places_mutex_;  // guards places_; segments_ changes under both this and snapshot_mutex_
    std::unordered_map<std::int64_t, Place> places_;
    mutable std::mutex snapshot_mutex_;  // held for the copy of one pointer
    std::shared_ptr<const Segments> segments_;
    std::atomic<std::uint64_t> sequence_{0};
    mutable ScratchPool scratches_;
};

}  // namespace rag::core
