// Searching one frozen graph: the distance of a query to rows, the memory a search works in, and the two walks.
// Twin: Rows scored one after another (segment.cpp); both use the same kernels, so equal rows get equal scores.
// Thread rule: a Scratch serves one search at a time; everything else is read only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/id_set.hpp"
#include "index/vector/code_bound.hpp"
#include "index/vector/graph.hpp"
#include "index/vector/kernels.hpp"

namespace rag::core {

/// Distances (lower is nearer: -dot, squared L2) of one query to rows: over floats, over codes, or over floats where codes do not
/// tell already that a row is too far.
class QueryDistance {
  public:
    /// `query` is [rows.stride()], padded with zeros; under cosine of length 1. It must outlive this.
    QueryDistance(Metric metric, const Rows& rows, const float* query) : metric_(metric), rows_(&rows), query_(query) {}
    /// Over codes: `query_codes` is [codes.stride()] with its meta.
    QueryDistance(Metric metric, const Codes& codes, const std::int8_t* query_codes, CodeMeta meta)
        : metric_(metric), codes_(&codes), query_codes_(query_codes), query_meta_(meta) {}

    /// Over the floats of rows that have codes: `query_codes` is [codes.stride()] with its meta.
    QueryDistance(Metric metric, const Rows& rows, const float* query, const std::int8_t* query_codes, const BoundedMeta& meta)
        : metric_(metric),
          rows_(&rows),
          query_(query),
          query_codes_(query_codes),
          bound_(CodeBound(metric, meta, rows.dimension())) {}

    /// out[i] = distance to ids[i] (to first + i when ids is null). NaN, which only a damaged file can cause, becomes +infinity.
    void operator()(const std::uint32_t* ids, std::size_t first, std::size_t count, float* out) const;
    /// The same to ids[i], but +infinity will do where the distance is `limit` or more.
    void below(float limit, const std::uint32_t* ids, std::size_t count, float* out) const;

  private:
    void code_distances(const std::uint32_t* ids, std::size_t first, std::size_t count, float* out) const;
    void float_distances(const std::uint32_t* ids, std::size_t first, std::size_t count, float* out) const;
    Metric metric_;
    const Rows* rows_ = nullptr;
    const float* query_ = nullptr;
    const Codes* codes_ = nullptr;
    const std::int8_t* query_codes_ = nullptr;
    CodeMeta query_meta_{};
    std::optional<CodeBound> bound_;
};

struct GraphCandidate {
    float distance;
    std::uint32_t row;
    /// A total order, so that results do not depend on the order of work.
    friend bool operator<(const GraphCandidate& a, const GraphCandidate& b) noexcept {
        return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
    }
};

/// Keeps the `limit` nearest in a heap with the farthest in front.
void push_bounded(std::vector<GraphCandidate>& heap, GraphCandidate candidate, std::size_t limit);

/// The memory of one search, kept between searches: one bit a row, and lists.
struct Scratch {
    std::vector<std::uint64_t> visited;
    std::vector<std::uint32_t> touched;  // rows whose bit is set
    std::vector<std::uint32_t> batch;
    std::vector<std::uint32_t> passed;  // rows that a walk passes over
    std::vector<std::uint32_t> allowed;
    std::vector<float> distances;
    std::vector<GraphCandidate> pool;
    std::vector<std::uint8_t> expanded;
    std::vector<GraphCandidate> frontier;
    std::vector<GraphCandidate> results;
    AlignedArray<float> query;
    AlignedArray<std::int8_t> query_codes;

    void prepare(std::size_t rows);
    /// Room for `count` codes of a query.
    std::int8_t* codes_for_query(std::size_t count) {
        if (query_codes.size() < count) query_codes = AlignedArray<std::int8_t>(count);
        return query_codes.data();
    }
    bool visit(std::uint32_t row) {
        std::uint64_t& word = visited[row / 64];
        const std::uint64_t bit = std::uint64_t{1} << (row % 64);
        if ((word & bit) != 0) return false;
        word |= bit;
        touched.push_back(row);
        return true;
    }
};

/// Hands out Scratches: as many exist as searches ever ran at once. Thread-safe.
class ScratchPool {
  public:
    class Lease {
      public:
        Lease(ScratchPool& pool, std::unique_ptr<Scratch> scratch) : pool_(pool), scratch_(std::move(scratch)) {}
        ~Lease();
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        Scratch& operator*() const noexcept { return *scratch_; }
        Scratch* operator->() const noexcept { return scratch_.get(); }

      private:
        ScratchPool& pool_;
        std::unique_ptr<Scratch> scratch_;
    };
    Lease take();

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Scratch>> free_;
};

/// Which rows a search may give.
class RowFilter {
  public:
    /// `ids` may be null: all that live.
    RowFilter(const Rows& rows, const IdSet* ids) : rows_(rows), ids_(ids) {}
    bool operator()(std::size_t row) const noexcept {
        return !rows_.dead(row) && (ids_ == nullptr || ids_->contains(rows_.id(row)));
    }

  private:
    const Rows& rows_;
    const IdSet* ids_;
};

/// The `ef` nearest rows met, nearest first, in scratch.pool; stragglers included. `without`: a row of the lowest layer that is
/// taken for not being there.
void search_graph(const Graph& graph, const QueryDistance& distance, std::size_t ef, Scratch& scratch,
                  std::uint32_t without = kNoRow);

/// How a walk passes rows that are not allowed.
enum class Passing {
    kThrough,  // it measures them and goes on from them: right where most rows are allowed
    kOver      // it looks at their neighbours instead, and measures allowed rows only (ACORN-1: Patel et al., SIGMOD 2024,
               // arXiv:2403.04871): where few are, most of what it would measure is not wanted
};

/// The `ef` nearest rows met for which `allowed` holds, nearest first, in scratch.pool. Gives up and returns false after having
/// met `budget` rows: then an exact scan of the allowed rows is cheaper.
bool search_graph_filtered(const Graph& graph, const QueryDistance& distance, std::size_t ef, const RowFilter& allowed,
                           Passing passing, std::size_t budget, Scratch& scratch);

}  // namespace rag::core
