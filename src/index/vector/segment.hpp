// One immutable part of a vector index: rows, and for sealed parts a graph over them (and codes, for int8). The tail of an
// index is segments without a graph, which are always scanned. Tombstones live in the rows.
// Thread rule: any thread may search; see rows.hpp for the one writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/id_set.hpp"
#include "index/vector/codes.hpp"
#include "index/vector/graph.hpp"
#include "index/vector/graph_search.hpp"
#include "index/vector/rows.hpp"

namespace rag::core {

struct VectorSegment {
    std::shared_ptr<Rows> rows;          // with codes of their own unless int8 and sealed
    std::shared_ptr<const Graph> graph;  // null: part of the tail
    std::shared_ptr<const Codes> codes;  // null unless int8 and sealed

    std::size_t live() const noexcept { return rows->size() - rows->dead_count(); }
};

/// A segment with its size and tombstones of one moment.
struct FrozenSegment {
    explicit FrozenSegment(const VectorSegment& segment);
    bool alive(std::size_t row) const noexcept { return (dead[row / 64] >> (row % 64) & 1U) == 0; }
    VectorSegment segment;
    std::size_t rows;
    std::size_t dead_count = 0;
    std::vector<std::uint64_t> dead;  // a bit a row
};

struct Neighbour {
    std::int64_t id;
    float score;
};

/// The k best of what it is offered: higher score first, equal scores by id.
class TopK {
  public:
    explicit TopK(std::size_t k) : k_(k) {}
    bool admits(float score) const noexcept { return best_.size() < k_ || score >= best_.front().score; }
    void offer(std::int64_t id, float score);
    /// Best first; empties this.
    std::vector<Neighbour> take();

  private:
    std::size_t k_;
    std::vector<Neighbour> best_;  // heap, worst in front
};

struct SegmentQuery {
    Metric metric;
    const float* vector;  // [stride], padded; under cosine of length 1
    std::size_t k;
    std::size_t ef;
    const IdSet* filter;      // null: all
    bool calibrated = false;  // ef is the rule's, not the caller's: graphs that need a wider beam get it
};

/// The live rows that the filter allows into scratch.allowed, ascending.
void list_allowed(const VectorSegment& segment, const IdSet& filter, Scratch& scratch);
/// Scores `count` rows by floats and offers them: those of `rows`, which live, or the live ones of first, first + 1, ...
void offer_rows(const VectorSegment& segment, const std::uint32_t* rows, std::size_t first, std::size_t count,
                const SegmentQuery& query, Scratch& scratch, TopK& top);

/// The query's codes, in scratch.query_codes.
BoundedMeta encode_query(const float* query, std::size_t dimension, Scratch& scratch);

/// Distances by the codes of an int8 segment, or by floats with the help of the rows' codes where they have some; the query's own
/// are put into `scratch`.
QueryDistance quick_distance(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch);

/// Offers every live, allowed row. The oracle, and the fallback of search_segment.
void scan_segment(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top);

/// Offers the nearest rows by the graph, or by a scan where that is cheaper or where the graph gave fewer than k rows.
void search_segment(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top);

/// Seals rows: builds codes (int8) and the graph, for float32 over the rows' own codes where they are good enough. `base` (may be
/// null): the sealed segment of the first of them.
VectorSegment make_segment(std::shared_ptr<Rows> rows, const VectorSegment* base, VectorType type, const GraphOptions& options,
                           const Progress& progress);

}  // namespace rag::core
