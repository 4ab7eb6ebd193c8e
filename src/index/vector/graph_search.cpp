#include "index/vector/graph_search.hpp"

#include <hwy/cache_control.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace rag::core {
namespace {

constexpr std::size_t kLine = 64;

void sanitize(float* distances, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (std::isnan(distances[i])) distances[i] = std::numeric_limits<float>::infinity();
    }
}

void prefetch_links(const Graph& graph, std::uint32_t row) {
    const auto* bytes = reinterpret_cast<const char*>(graph.neighbours0(row));
    for (std::size_t at = 0; at < 2 * graph.m * sizeof(std::uint32_t); at += kLine) hwy::Prefetch(bytes + at);
}

/// The list at `list` (ended by what is no row or `capacity`) in scratch.batch; with `unvisited`, only rows seen for the first
/// time.
template <bool unvisited>
void gather(const std::uint32_t* list, std::size_t capacity, std::size_t rows, Scratch& scratch) {
    scratch.batch.clear();
    for (std::size_t i = 0; i < capacity; ++i) {
        const std::uint32_t next = list[i];  // once: it may lie in a file
        if (next >= rows) break;
        if (!unvisited || scratch.visit(next)) scratch.batch.push_back(next);
    }
    if (scratch.distances.size() < scratch.batch.size()) scratch.distances.resize(scratch.batch.size());
}

/// Distances of the batch; those of `limit` or more may be given as +infinity.
void measure(const QueryDistance& distance, float limit, Scratch& scratch) {
    distance.below(limit, scratch.batch.data(), scratch.batch.size(), scratch.distances.data());
}

/// The greedy walk down the upper layers: where layer 0 begins.
GraphCandidate descend(const Graph& graph, const QueryDistance& distance, Scratch& scratch) {
    GraphCandidate best{0, graph.entry};
    distance(&graph.entry, 0, 1, &best.distance);
    for (std::size_t level = graph.top_level; level > 0; --level) {
        for (bool nearer = true; nearer;) {
            nearer = false;
            gather<false>(graph.neighbours(best.row, level), graph.m, graph.rows(), scratch);
            measure(distance, best.distance, scratch);
            for (std::size_t i = 0; i < scratch.batch.size(); ++i) {
                if (scratch.distances[i] < best.distance) {
                    best = {scratch.distances[i], scratch.batch[i]};
                    nearer = true;
                }
            }
        }
    }
    return best;
}

/// The sorted list of the `ef` nearest rows so far, each marked when its neighbours have been looked at.
class Beam {
  public:
    Beam(std::size_t ef, Scratch& scratch) : ef_(ef), pool_(scratch.pool), expanded_(scratch.expanded) {
        pool_.clear();
        expanded_.clear();
        pool_.reserve(ef + 1);
        expanded_.reserve(ef + 1);
    }
    /// What is as far or farther does not enter.
    float limit() const noexcept { return pool_.size() < ef_ ? std::numeric_limits<float>::infinity() : pool_.back().distance; }
    bool admits(float distance) const noexcept { return pool_.size() < ef_ || distance < pool_.back().distance; }
    void insert(GraphCandidate candidate, bool expanded = false) {
        const auto place = std::lower_bound(pool_.begin(), pool_.end(), candidate);
        const auto at = static_cast<std::size_t>(place - pool_.begin());
        pool_.insert(place, candidate);
        expanded_.insert(expanded_.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(expanded));
        if (pool_.size() > ef_) {
            pool_.pop_back();
            expanded_.pop_back();
        }
        next_ = std::min(next_, at);
    }
    /// The nearest row not yet expanded, now marked so; kNoRow when there is none.
    std::uint32_t take() {
        while (next_ < pool_.size() && expanded_[next_] != 0) ++next_;
        if (next_ == pool_.size()) return kNoRow;
        expanded_[next_] = 1;
        return pool_[next_].row;
    }
    /// The row that take() would give, for prefetching.
    std::uint32_t peek() const {
        for (std::size_t i = next_; i < pool_.size(); ++i) {
            if (expanded_[i] == 0) return pool_[i].row;
        }
        return kNoRow;
    }

  private:
    std::size_t ef_;
    std::size_t next_ = 0;
    std::vector<GraphCandidate>& pool_;
    std::vector<std::uint8_t>& expanded_;
};

/// The allowed rows around `row`, seen for the first time, in scratch.batch: its neighbours, and those of its neighbours that are
/// not allowed, until a whole list's worth is found.
void gather_over(const Graph& graph, std::uint32_t row, const RowFilter& allowed, Scratch& scratch) {
    const std::size_t capacity = 2 * graph.m;
    scratch.batch.clear();
    scratch.passed.clear();
    const auto take = [&](std::uint32_t next) {
        if (scratch.visit(next)) scratch.batch.push_back(next);
    };
    const std::size_t rows = graph.rows();
    const std::uint32_t* near = graph.neighbours0(row);
    for (std::size_t i = 0; i < capacity; ++i) {
        const std::uint32_t next = near[i];  // once: it may lie in a file
        if (next >= rows) break;
        if (allowed(next)) {
            take(next);
        } else {
            prefetch_links(graph, next);
            scratch.passed.push_back(next);
        }
    }
    for (std::size_t i = 0; i < scratch.passed.size() && scratch.batch.size() < capacity; ++i) {
        const std::uint32_t* far = graph.neighbours0(scratch.passed[i]);
        for (std::size_t j = 0; j < capacity; ++j) {
            const std::uint32_t next = far[j];
            if (next >= rows) break;
            if (allowed(next)) take(next);
        }
    }
    if (scratch.distances.size() < scratch.batch.size()) scratch.distances.resize(scratch.batch.size());
}

/// Rows that the walk cannot reach, and that it has not met by way of the upper layers, in scratch.batch with their distances.
void measure_stragglers(const Graph& graph, const QueryDistance& distance, float limit, Scratch& scratch) {
    gather<true>(graph.stragglers.data(), graph.stragglers.size(), graph.rows(), scratch);
    measure(distance, limit, scratch);
}

// Heaps with the farthest (or with Farther the nearest) candidate in front.
struct Farther {
    bool operator()(const GraphCandidate& a, const GraphCandidate& b) const noexcept { return b < a; }
};

}  // namespace

void QueryDistance::operator()(const std::uint32_t* ids, std::size_t first, std::size_t count, float* out) const {
    if (codes_ != nullptr) {
        code_distances(ids, first, count, out);
    } else {
        float_distances(ids, first, count, out);
    }
    sanitize(out, count);
}

void QueryDistance::float_distances(const std::uint32_t* ids, std::size_t first, std::size_t count, float* out) const {
    const float* base = rows_->vectors() + first * rows_->stride();
    if (metric_ == Metric::kL2) {
        kernels().squared_l2_rows(query_, base, ids, count, rows_->stride(), out);
    } else {
        kernels().dot_rows(query_, base, ids, count, rows_->stride(), out);
        for (std::size_t i = 0; i < count; ++i) out[i] = -out[i];
    }
}

void QueryDistance::below(float limit, const std::uint32_t* ids, std::size_t count, float* out) const {
    if (!bound_ || limit == std::numeric_limits<float>::infinity()) return (*this)(ids, 0, count, out);
    constexpr std::size_t kPart = 64;
    const BoundedCodes& codes = *rows_->codes();
    std::array<std::int32_t, kPart> dots;
    std::array<std::uint32_t, kPart> near;
    std::array<std::uint32_t, kPart> places;
    std::array<float, kPart> distances;
    for (std::size_t begin = 0; begin < count; begin += kPart) {
        const std::size_t part = std::min(kPart, count - begin);
        kernels().dot_i8_rows(query_codes_, codes.data(), ids + begin, part, codes.stride(), dots.data());
        std::size_t kept = 0;
        for (std::size_t i = 0; i < part; ++i) {
            const std::uint32_t id = ids[begin + i];
            out[begin + i] = std::numeric_limits<float>::infinity();
            near[kept] = id;
            places[kept] = static_cast<std::uint32_t>(begin + i);
            kept += (*bound_)(codes.meta(id), dots[i]) <= -limit ? 0U : 1U;  // NaN: kept
        }
        float_distances(near.data(), 0, kept, distances.data());
        sanitize(distances.data(), kept);
        for (std::size_t i = 0; i < kept; ++i) out[places[i]] = distances[i];
    }
}

void QueryDistance::code_distances(const std::uint32_t* ids, std::size_t first, std::size_t count, float* out) const {
    constexpr std::size_t kPart = 64;
    std::array<std::int32_t, kPart> dots;
    for (std::size_t begin = 0; begin < count; begin += kPart) {
        const std::size_t part = std::min(kPart, count - begin);
        const std::uint32_t* part_ids = ids == nullptr ? nullptr : ids + begin;
        const std::size_t part_first = ids == nullptr ? first + begin : 0;
        kernels().dot_i8_rows(query_codes_, codes_->data() + part_first * codes_->stride(), part_ids, part, codes_->stride(),
                              dots.data());
        for (std::size_t i = 0; i < part; ++i) {
            const CodeMeta& meta = codes_->metas()[ids == nullptr ? part_first + i : part_ids[i]];
            const float dot = query_meta_.scale * meta.scale * static_cast<float>(dots[i]);
            out[begin + i] = metric_ == Metric::kL2 ? query_meta_.squared_length + meta.squared_length - 2.0F * dot : -dot;
        }
    }
}

void push_bounded(std::vector<GraphCandidate>& heap, GraphCandidate candidate, std::size_t limit) {
    heap.push_back(candidate);
    std::push_heap(heap.begin(), heap.end());
    if (heap.size() > limit) {
        std::pop_heap(heap.begin(), heap.end());
        heap.pop_back();
    }
}

void Scratch::prepare(std::size_t rows) {
    for (const std::uint32_t row : touched) visited[row / 64] = 0;
    touched.clear();
    if (visited.size() < (rows + 63) / 64) visited.resize((rows + 63) / 64);
}

ScratchPool::Lease::~Lease() {
    const std::lock_guard lock(pool_.mutex_);
    try {
        pool_.free_.push_back(std::move(scratch_));
    } catch (const std::bad_alloc&) {
        // The next search makes a new one.
    }
}

ScratchPool::Lease ScratchPool::take() {
    {
        const std::lock_guard lock(mutex_);
        if (!free_.empty()) {
            auto scratch = std::move(free_.back());
            free_.pop_back();
            return {*this, std::move(scratch)};
        }
    }
    return {*this, std::make_unique<Scratch>()};
}

void search_graph(const Graph& graph, const QueryDistance& distance, std::size_t ef, Scratch& scratch, std::uint32_t without) {
    scratch.prepare(graph.rows());
    if (without != kNoRow) scratch.visit(without);
    const GraphCandidate start = descend(graph, distance, scratch);
    Beam beam(ef, scratch);
    scratch.visit(start.row);
    beam.insert(start);
    for (std::uint32_t row = beam.take(); row != kNoRow; row = beam.take()) {
        gather<true>(graph.neighbours0(row), 2 * graph.m, graph.rows(), scratch);
        if (const std::uint32_t ahead = beam.peek(); ahead != kNoRow) prefetch_links(graph, ahead);
        measure(distance, beam.limit(), scratch);
        for (std::size_t i = 0; i < scratch.batch.size(); ++i) {
            if (beam.admits(scratch.distances[i])) beam.insert({scratch.distances[i], scratch.batch[i]});
        }
    }
    if (graph.stragglers.empty()) return;
    measure_stragglers(graph, distance, beam.limit(), scratch);
    for (std::size_t i = 0; i < scratch.batch.size(); ++i) {
        if (beam.admits(scratch.distances[i])) beam.insert({scratch.distances[i], scratch.batch[i]}, true);
    }
}

bool search_graph_filtered(const Graph& graph, const QueryDistance& distance, std::size_t ef, const RowFilter& allowed,
                           Passing passing, std::size_t budget, Scratch& scratch) {
    scratch.prepare(graph.rows());
    auto& frontier = scratch.frontier;  // heap, nearest in front
    auto& results = scratch.results;    // heap, farthest in front
    frontier.clear();
    results.clear();
    const auto limit = [&] { return results.size() < ef ? std::numeric_limits<float>::infinity() : results.front().distance; };
    const auto admits = [&](float d) { return results.size() < ef || d < results.front().distance; };
    const auto meet = [&](GraphCandidate candidate, bool expand) {
        if (!admits(candidate.distance)) return;
        if (expand) {
            frontier.push_back(candidate);
            std::push_heap(frontier.begin(), frontier.end(), Farther());
        }
        if (allowed(candidate.row)) push_bounded(results, candidate, ef);
    };
    const GraphCandidate start = descend(graph, distance, scratch);
    scratch.visit(start.row);
    meet(start, true);
    while (!frontier.empty() && admits(frontier.front().distance)) {
        if (scratch.touched.size() > budget) return false;
        const std::uint32_t row = frontier.front().row;
        std::pop_heap(frontier.begin(), frontier.end(), Farther());
        frontier.pop_back();
        if (passing == Passing::kOver) {
            gather_over(graph, row, allowed, scratch);
        } else {
            gather<true>(graph.neighbours0(row), 2 * graph.m, graph.rows(), scratch);
        }
        if (!frontier.empty()) prefetch_links(graph, frontier.front().row);
        measure(distance, limit(), scratch);
        for (std::size_t i = 0; i < scratch.batch.size(); ++i) meet({scratch.distances[i], scratch.batch[i]}, true);
    }
    measure_stragglers(graph, distance, limit(), scratch);
    for (std::size_t i = 0; i < scratch.batch.size(); ++i) meet({scratch.distances[i], scratch.batch[i]}, false);
    std::sort_heap(results.begin(), results.end());
    scratch.pool.assign(results.begin(), results.end());
    return true;
}

}  // namespace rag::core
