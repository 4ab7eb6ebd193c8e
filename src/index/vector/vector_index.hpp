// A vector index: int64 ids and float vectors in, nearest neighbours out. Sealed segments carry an HNSW graph each, new rows
// sit in a tail that is scanned exactly, removed rows are tombstones until a merge drops them, and every live row can be found.
// Thread rule: search, get, contains, ids, stats, save from any number of threads while others write; add() and remove() wait for
// one another, never for a graph that another thread builds: seal, compact and maintain build beside the old segments and swap
// the list. A search sees the list of segments of the moment it began, and rows added or removed meanwhile or not.
// Not for text, metadata or durability: the store holds the truth, a file of this is derived from it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "index/vector/rebuild.hpp"
#include "index/vector/segment.hpp"

namespace rag::core {

struct VectorIndexOptions {
    std::size_t dimension = 0;  // 1 to 65,536
    Metric metric = Metric::kCosine;
    VectorType type = VectorType::kFloat32;  // what walks go by; kInt8: codes, and floats for the scores of what was found
    std::size_t m = 16;                      // neighbours a row; 2 to 512
    std::size_t ef_construction = 200;       // beam while building; 1 to 65,536
    std::uint64_t seed = 100;
    // Not in the file:
    std::size_t tail_limit = 4096;  // rows after which the tail is sealed
    std::size_t threads = 1;        // that build a graph; 0 all. With more than one, equal input may give unequal graphs.
    // true: add() and remove() leave sealing and merging to whoever calls maintain(), as a thread of the owner's. false: they do
    // it before they return, so that equal calls give equal segments.
    bool background = false;
};

struct VectorIndexStats {
    std::size_t live = 0;
    std::size_t dead = 0;  // tombstones still holding memory
    std::size_t segments = 0;
    std::size_t tail_rows = 0;
    std::size_t stragglers = 0;  // rows scored in every search of their segment, because no link leads to them
    std::size_t vector_bytes = 0;
    std::size_t graph_bytes = 0;  // with codes, also those of the tail
};

class VectorIndex {
  public:
    /// Throws kInvalidArgument naming the option that is out of range.
    explicit VectorIndex(const VectorIndexOptions& options);
    ~VectorIndex();
    VectorIndex(const VectorIndex&) = delete;
    VectorIndex& operator=(const VectorIndex&) = delete;

    const VectorIndexOptions& options() const noexcept { return options_; }

    /// Adds ids.size() rows; `vectors` is [ids.size(), dimension]. They are found from then on. Unless options().background, does
    /// what maintain() would do, which takes the time of building graphs; `progress` counts rows of that.
    /// Throws, with nothing added: kInvalidArgument (size; NaN or infinity; length 0 or below 1.2e-38 under cosine; too long
    /// for float32: names row and value), kAlreadyExists (names the id), Stopped before the first row, kOutOfMemory.
    /// Throws Stopped while sealing: all rows are added, their graph is left to the next add(), seal() or maintain().
    void add(std::span<const std::int64_t> ids, std::span<const float> vectors, const Progress& progress = {});

    /// Removes what is there of `ids`; returns how many that were. Unless options().background, does what maintain() would do.
    std::size_t remove(std::span<const std::int64_t> ids);

    std::size_t size() const;
    bool contains(std::int64_t id) const;
    /// Copies the vector as it was given to add() (under cosine from its unit vector and length: equal to 1e-6 relative) into
    /// out[dimension]; false when there is no such id.
    bool get(std::int64_t id, std::span<float> out) const;
    /// All live ids, ascending.
    std::vector<std::int64_t> ids() const;

    /// The min(k, live rows that `filter` allows) nearest rows, best first; equal scores by id. Scores: cosine, inner product,
    /// negative squared L2. `ef` is the beam of the walk (0: default_ef(k), wider where calibrate.hpp found that a graph needs
    /// it: recall@10 is then 0.99 or more, whatever the vectors); larger is more exact and slower. Where few rows
    /// are allowed the search is exact. Throws kInvalidArgument for the query.
    std::vector<Neighbour> search(std::span<const float> query, std::size_t k, std::size_t ef = 0,
                                  const IdSet* filter = nullptr) const;
    /// The same by scoring every row: the oracle.
    std::vector<Neighbour> search_exact(std::span<const float> query, std::size_t k, const IdSet* filter = nullptr) const;
    static std::size_t default_ef(std::size_t k) noexcept;

    /// One step of what merge_policy.hpp says is due: builds one segment (which takes, meanwhile, the memory of its rows again)
    /// and puts it in the place of others, while rows are added, removed and searched. False: nothing was due.
    /// Stopped or failed: nothing changed.
    bool maintain(const Progress& progress = {});
    /// Gives the whole tail a graph: that of the largest segment is extended. Stopped or failed: nothing changed.
    void seal(const Progress& progress = {});
    /// One segment of all live rows, without tombstones: the graph of the largest is extended, or built anew where rows of it are
    /// dead. Stopped or failed: nothing changed.
    void compact(const Progress& progress = {});

    /// A number of the caller's (the store's sequence number) that goes into the file.
    std::uint64_t sequence() const noexcept { return sequence_.load(); }
    void set_sequence(std::uint64_t value) noexcept { sequence_.store(value); }

    /// Writes the rows of this moment to a file that replaces `file` as a whole or not at all (kIo, Stopped), while others read
    /// and write. The same rows in the same segments give the same bytes. Format: vector_file.hpp.
    void save(const std::filesystem::path& file, const Progress& progress = {}) const;
    /// Maps a file; vectors stay in it, so it must not be changed in place (save() never does). Of `expected`, dimension, metric
    /// and type must agree, tail_limit, threads and background are taken. Throws kNotFound, kIo, kVersion (newer: names both),
    /// kCorrupt (names file and block), kInvalidArgument (not as expected).
    static std::unique_ptr<VectorIndex> load(const std::filesystem::path& file,
                                             const std::optional<VectorIndexOptions>& expected = {});
    /// The bytes of a file; `owner` keeps them alive, `name` is for messages.
    static std::unique_ptr<VectorIndex> parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                              const std::string& name, const std::optional<VectorIndexOptions>& expected = {});
    std::vector<std::byte> serialize() const;

    VectorIndexStats stats() const;
    /// Checks that ids, tombstones, vectors, codes and graphs agree with one another; on failure `why` names the first fault.
    /// Does not wait for a graph that is being built; those who add and remove rows wait for this. Polls `progress`.
    bool verify(std::string& why, const Progress& progress = {}) const;

  private:
    using Segments = std::vector<VectorSegment>;

    std::shared_ptr<const Segments> snapshot() const;
    void set_snapshot(std::shared_ptr<const Segments> next);
    std::vector<FrozenSegment> frozen() const;
    GraphOptions graph_options() const;
    void fill_query(std::span<const float> query, Scratch& scratch) const;
    enum class How { kExactly, kByBeam, kByRule };
    std::vector<Neighbour> run(std::span<const float> query, std::size_t k, std::size_t ef, const IdSet* filter, How how) const;
    double check_vector(const float* values, std::size_t row, float& length) const;
    void check_new_ids(std::span<const std::int64_t> ids) const;
    void append(std::span<const std::int64_t> ids, std::span<const float> vectors, std::span<const float> lengths,
                std::span<const double> factors);
    template <typename Plan>
    bool rebuild(const Plan& plan, const Progress& progress);
    void publish(Rebuild& rebuild, const std::optional<VectorSegment>& added);
    void tidy(const Progress& progress);
    void adopt(Segments segments, const std::string& name);

    const VectorIndexOptions options_;
    mutable std::mutex building_;        // held while segments are rebuilt; taken before writer_
    mutable std::mutex writer_;          // held while rows are added or removed, or the list of segments changes; never for long
    Rows* open_ = nullptr;               // the piece of the tail with room, or null; guarded by writer_
    mutable std::mutex snapshot_mutex_;  // held for the copy of one pointer
    std::shared_ptr<const Segments> segments_;
    std::atomic<std::uint64_t> sequence_{0};
    mutable ScratchPool scratches_;
};

}  // namespace rag::core
