#include "index/vector/segment.hpp"

#include <algorithm>
#include <bit>

namespace rag::core {
namespace {

constexpr std::size_t kScanBatch = 256;
// A graph of so few rows that a beam of ef would meet most of them is scanned in order instead, which is exact.
constexpr std::size_t kScanBelowEfTimes = 4;
// How many rows are asked to estimate a filter's selectivity, and the share of allowed ones below which a scan is cheaper and
// the walk would lose recall (chroma-core/chroma#4089 measured 79% at 2%).
constexpr std::size_t kFilterSamples = 256;
constexpr double kScanBelowShare = 0.05;
// int8: this many candidates of the codes are scored again with floats.
constexpr std::size_t kRescoreTimes = 4;
constexpr std::size_t kRescoreLeast = 64;

bool better(const Neighbour& a, const Neighbour& b) noexcept {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
}

bool row_allowed(const VectorSegment& segment, const IdSet* filter, std::size_t row) {
    return !segment.rows->dead(row) && (filter == nullptr || filter->contains(segment.rows->id(row)));
}

/// Allowed rows in the segment by a sample of evenly spread rows.
std::size_t estimate_allowed(const VectorSegment& segment, const IdSet* filter) {
    const std::size_t rows = segment.rows->size();
    if (filter == nullptr) return segment.live();
    const std::size_t samples = std::min(rows, kFilterSamples);
    std::size_t hits = 0;
    for (std::size_t i = 0; i < samples; ++i) hits += row_allowed(segment, filter, i * rows / samples) ? 1U : 0U;
    return hits * rows / samples;
}

void offer_rows(const VectorSegment& segment, const std::uint32_t* rows, std::size_t first, std::size_t count,
                const SegmentQuery& query, Scratch& scratch, TopK& top) {
    if (scratch.distances.size() < count) scratch.distances.resize(count);
    QueryDistance(query.metric, *segment.rows, query.vector)(rows, first, count, scratch.distances.data());
    for (std::size_t i = 0; i < count; ++i) {
        const float score = -scratch.distances[i];
        const std::size_t row = rows == nullptr ? first + i : rows[i];
        // Without a list of rows the dead are among them.
        if (top.admits(score) && (rows != nullptr || !segment.rows->dead(row))) top.offer(segment.rows->id(row), score);
    }
}

/// The graph's candidates in scratch.pool; false when a scan is the better way.
bool walk(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch) {
    const std::size_t rows = segment.rows->size();
    const std::size_t ef = std::max(query.ef, query.k);
    if (rows <= ef * kScanBelowEfTimes) return false;
    const std::size_t allowed = estimate_allowed(segment, query.filter);
    if (static_cast<double>(allowed) < kScanBelowShare * static_cast<double>(rows)) return false;

    QueryDistance distance(query.metric, *segment.rows, query.vector);
    if (segment.codes) {
        if (scratch.query_codes.size() < segment.codes->stride())
            scratch.query_codes = AlignedArray<std::int8_t>(segment.codes->stride());
        const CodeMeta meta = encode_row(query.vector, segment.rows->dimension(), scratch.query_codes.data());
        distance = QueryDistance(query.metric, *segment.codes, scratch.query_codes.data(), meta);
    }
    if (query.filter == nullptr && segment.rows->dead_count() == 0) {
        search_graph(*segment.graph, distance, ef, scratch);
        return true;
    }
    const auto row_filter = [&](std::uint32_t row) { return row_allowed(segment, query.filter, row); };
    // Meeting more rows than are allowed costs more than scoring those (apache/lucene#656).
    return search_graph_filtered(*segment.graph, distance, ef, row_filter, allowed + ef, scratch);
}

}  // namespace

FrozenSegment::FrozenSegment(const VectorSegment& of) : segment(of), rows(of.rows->size()), dead((rows + 63) / 64) {
    for (std::size_t word = 0; word < dead.size(); ++word) {
        dead[word] = of.rows->dead_word(word);
        dead_count += static_cast<std::size_t>(std::popcount(dead[word]));
    }
}

void TopK::offer(std::int64_t id, float score) {
    const Neighbour neighbour{id, score};
    if (best_.size() == k_) {
        if (k_ == 0 || !better(neighbour, best_.front())) return;
        std::pop_heap(best_.begin(), best_.end(), better);
        best_.pop_back();
    }
    best_.push_back(neighbour);
    std::push_heap(best_.begin(), best_.end(), better);
}

std::vector<Neighbour> TopK::take() {
    std::sort_heap(best_.begin(), best_.end(), better);
    return std::move(best_);
}

void scan_segment(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top) {
    const std::size_t rows = segment.rows->size();
    for (std::size_t begin = 0; begin < rows; begin += kScanBatch) {
        const std::size_t end = std::min(rows, begin + kScanBatch);
        if (query.filter == nullptr) {
            offer_rows(segment, nullptr, begin, end - begin, query, scratch, top);
            continue;
        }
        scratch.batch.clear();
        for (std::size_t row = begin; row < end; ++row) {
            if (row_allowed(segment, query.filter, row)) scratch.batch.push_back(static_cast<std::uint32_t>(row));
        }
        offer_rows(segment, scratch.batch.data(), 0, scratch.batch.size(), query, scratch, top);
    }
}

void search_segment(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top) {
    if (!segment.graph || !walk(segment, query, scratch)) return scan_segment(segment, query, scratch, top);
    auto& found = scratch.pool;
    if (found.size() < std::min(query.k, segment.live())) return scan_segment(segment, query, scratch, top);
    if (!segment.codes) {
        for (std::size_t i = 0; i < std::min(query.k, found.size()); ++i)
            top.offer(segment.rows->id(found[i].row), -found[i].distance);
        return;
    }
    const std::size_t rescored = std::min(found.size(), std::max(kRescoreLeast, kRescoreTimes * query.k));
    scratch.batch.clear();
    for (std::size_t i = 0; i < rescored; ++i) scratch.batch.push_back(found[i].row);
    offer_rows(segment, scratch.batch.data(), 0, rescored, query, scratch, top);
}

VectorSegment make_segment(std::shared_ptr<Rows> rows, const VectorSegment* base, VectorType type, const GraphOptions& options,
                           const Progress& progress) {
    VectorSegment segment;
    segment.rows = std::move(rows);
    const Codes* base_codes = base == nullptr ? nullptr : base->codes.get();
    const Graph* base_graph = base == nullptr ? nullptr : base->graph.get();
    if (type == VectorType::kInt8) segment.codes = std::make_shared<Codes>(*segment.rows, base_codes, progress);
    segment.graph = std::make_shared<Graph>(build_graph(*segment.rows, segment.codes.get(), base_graph, options, progress));
    return segment;
}

}  // namespace rag::core
