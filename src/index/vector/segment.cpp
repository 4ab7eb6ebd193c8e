#include "index/vector/segment.hpp"

#include <algorithm>
#include <bit>
#include <optional>

#include "index/vector/calibrate.hpp"
#include "index/vector/tail_scan.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kScanBatch = 256;
// A graph of so few rows that a beam of ef would meet most of them is scanned in order instead, which is exact.
constexpr std::size_t kScanBelowEfTimes = 4;
// A walk measures about this many rows for each that its beam holds: where a filter allows no more than that, they are all
// scored.
constexpr std::size_t kScanAllowedBelowEfTimes = 96;
// Where a filter allows fewer than one row in so many, a walk passes over the others.
constexpr std::size_t kPassOverBelow = 3;
// A filter that allows fewer than one row in so many is asked for its ids; else each row is looked up in it.
constexpr std::size_t kListBelow = 8;
// int8: this many candidates of the codes are scored again with floats.
constexpr std::size_t kRescoreTimes = 4;
constexpr std::size_t kRescoreLeast = 64;

bool better(const Neighbour& a, const Neighbour& b) noexcept {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
}

/// How many rows of the segment are allowed, at most: a filter may know ids that are in other segments.
std::size_t count_allowed(const VectorSegment& segment, const IdSet* filter) {
    const std::size_t rows = segment.rows->size();
    if (filter == nullptr || rows == 0) return segment.live();
    return std::min(segment.live(), filter->count(segment.rows->least_id(), segment.rows->greatest_id()));
}

void offer_list(const VectorSegment& segment, std::span<const std::uint32_t> rows, const SegmentQuery& query, Scratch& scratch,
                TopK& top) {
    for (std::size_t begin = 0; begin < rows.size(); begin += kScanBatch) {
        const auto part = rows.subspan(begin, std::min(kScanBatch, rows.size() - begin));
        offer_rows(segment, part.data(), 0, part.size(), query, scratch, top);
    }
}

std::size_t rescored(const SegmentQuery& query) {
    return std::max(kRescoreLeast, kRescoreTimes * query.k);
}

/// Offers the allowed rows (all without a filter): by floats if they are few or have no codes, else the nearest of them by codes.
void scan_quickly(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top) {
    const std::size_t wanted = rescored(query);
    if (!segment.codes) return scan_tail(segment, query, scratch, top);
    if (query.filter != nullptr) list_allowed(segment, *query.filter, scratch);
    const std::uint32_t* list = query.filter == nullptr ? nullptr : scratch.allowed.data();
    const std::size_t size = list == nullptr ? segment.rows->size() : scratch.allowed.size();
    if (list != nullptr && size <= 2 * wanted) return offer_list(segment, scratch.allowed, query, scratch, top);
    const QueryDistance distance = quick_distance(segment, query, scratch);
    auto& near = scratch.pool;
    near.clear();
    if (scratch.distances.size() < kScanBatch) scratch.distances.resize(kScanBatch);
    for (std::size_t begin = 0; begin < size; begin += kScanBatch) {
        const std::size_t count = std::min(kScanBatch, size - begin);
        distance(list == nullptr ? nullptr : list + begin, list == nullptr ? begin : 0, count, scratch.distances.data());
        for (std::size_t i = 0; i < count; ++i) {
            if (near.size() == wanted && scratch.distances[i] >= near.front().distance) continue;
            const std::size_t row = list == nullptr ? begin + i : list[begin + i];
            // Without a list of rows the dead are among them.
            if (list == nullptr && segment.rows->dead(row)) continue;
            push_bounded(near, {scratch.distances[i], static_cast<std::uint32_t>(row)}, wanted);
        }
    }
    scratch.batch.clear();
    for (const GraphCandidate& candidate : near) scratch.batch.push_back(candidate.row);
    offer_rows(segment, scratch.batch.data(), 0, scratch.batch.size(), query, scratch, top);
}

/// The graph's candidates in scratch.pool; false when a scan is the better way.
bool walk(const VectorSegment& segment, const SegmentQuery& query, std::size_t ef, std::size_t allowed, Scratch& scratch) {
    const QueryDistance distance = quick_distance(segment, query, scratch);
    if (query.filter == nullptr && segment.rows->dead_count() == 0) {
        search_graph(*segment.graph, distance, ef, scratch);
        return true;
    }
    const RowFilter filter(*segment.rows, query.filter);
    const bool few = allowed < segment.rows->size() / kPassOverBelow;
    // Meeting more rows than are allowed costs more than scoring those (apache/lucene#656).
    return search_graph_filtered(*segment.graph, distance, ef, filter, few ? Passing::kOver : Passing::kThrough, allowed + ef,
                                 scratch);
}

}  // namespace

BoundedMeta encode_query(const float* query, std::size_t dimension, Scratch& scratch) {
    return encode_bounded_row(query, dimension, scratch.codes_for_query(padded_codes(dimension)));
}

QueryDistance quick_distance(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch) {
    const std::size_t dimension = segment.rows->dimension();
    if (segment.codes) {
        std::int8_t* const codes = scratch.codes_for_query(segment.codes->stride());
        const CodeMeta meta = encode_row(query.vector, dimension, codes);
        return {query.metric, *segment.codes, codes, meta};
    }
    if (segment.rows->codes() == nullptr) return {query.metric, *segment.rows, query.vector};
    const BoundedMeta meta = encode_query(query.vector, dimension, scratch);
    return {query.metric, *segment.rows, query.vector, scratch.query_codes.data(), meta};
}

void list_allowed(const VectorSegment& segment, const IdSet& filter, Scratch& scratch) {
    const Rows& rows = *segment.rows;
    const std::size_t count = rows.size();
    scratch.allowed.clear();
    if (count == 0) return;
    if (filter.count(rows.least_id(), rows.greatest_id()) < count / kListBelow) {
        return rows.find_all(filter.ids(rows.least_id(), rows.greatest_id()), scratch.allowed);
    }
    const RowFilter allowed(rows, &filter);
    for (std::size_t row = 0; row < count; ++row) {
        if (allowed(row)) scratch.allowed.push_back(static_cast<std::uint32_t>(row));
    }
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
    if (query.filter != nullptr) {
        list_allowed(segment, *query.filter, scratch);
        return offer_list(segment, scratch.allowed, query, scratch, top);
    }
    const std::size_t rows = segment.rows->size();
    for (std::size_t begin = 0; begin < rows; begin += kScanBatch) {
        offer_rows(segment, nullptr, begin, std::min(kScanBatch, rows - begin), query, scratch, top);
    }
}

void search_segment(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top) {
    if (!segment.graph) return scan_tail(segment, query, scratch, top);
    if (query.calibrated && segment.graph->beam == kScanInstead) return scan_quickly(segment, query, scratch, top);
    const std::size_t rule = std::max(query.ef, query.k);
    const std::size_t ef = query.calibrated ? needed_beam(*segment.graph, rule) : rule;
    if (segment.rows->size() <= ef * kScanBelowEfTimes) return scan_segment(segment, query, scratch, top);
    const std::size_t allowed = count_allowed(segment, query.filter);
    if (query.filter != nullptr && allowed <= ef * kScanAllowedBelowEfTimes) return scan_quickly(segment, query, scratch, top);
    if (!walk(segment, query, ef, allowed, scratch)) return scan_segment(segment, query, scratch, top);
    auto& found = scratch.pool;
    if (found.size() < std::min(query.k, segment.live())) return scan_segment(segment, query, scratch, top);
    if (!segment.codes) {
        for (std::size_t i = 0; i < std::min(query.k, found.size()); ++i)
            top.offer(segment.rows->id(found[i].row), -found[i].distance);
        return;
    }
    const std::size_t count = std::min(found.size(), rescored(query));
    scratch.batch.clear();
    for (std::size_t i = 0; i < count; ++i) scratch.batch.push_back(found[i].row);
    offer_rows(segment, scratch.batch.data(), 0, count, query, scratch, top);
}

namespace {

/// None: a graph over floats.
std::optional<CodeRows> built_over(const VectorSegment& segment) {
    if (segment.codes) return CodeRows(*segment.codes);
    const BoundedCodes* codes = segment.rows->codes();
    if (codes != nullptr && segment.rows->size() > 0 && codes_tell_apart(*segment.rows)) return CodeRows(*codes);
    return std::nullopt;
}

}  // namespace

VectorSegment make_segment(std::shared_ptr<Rows> rows, const VectorSegment* base, VectorType type, const GraphOptions& options,
                           const Progress& progress) {
    VectorSegment segment;
    segment.rows = std::move(rows);
    const Codes* base_codes = base == nullptr ? nullptr : base->codes.get();
    const Graph* base_graph = base == nullptr ? nullptr : base->graph.get();
    if (type == VectorType::kInt8) {
        segment.codes = std::make_shared<Codes>(*segment.rows, base_codes, progress);
    } else if (segment.rows->codes() == nullptr) {
        segment.rows->make_codes();
    }
    const std::optional<CodeRows> codes = built_over(segment);
    const auto graph =
        std::make_shared<Graph>(build_graph(*segment.rows, codes ? &*codes : nullptr, base_graph, options, progress));
    segment.graph = graph;
    // What was found of half of the rows holds for all: a graph twice as large needs little more.
    if (base_graph != nullptr && base_graph->beam != 0 && graph->rows() / 2 < base_graph->beam_rows) {
        graph->beam = base_graph->beam;
        graph->beam_rows = base_graph->beam_rows;
    } else {
        const std::uint64_t inserted = graph->rows() - (base_graph == nullptr ? 0 : base_graph->rows());
        graph->beam = calibrate_beam(segment, options.metric,
                                     [&](std::uint64_t, std::uint64_t) { return !progress || progress(inserted, inserted); });
        graph->beam_rows = static_cast<std::uint32_t>(graph->rows());
    }
    return segment;
}

}  // namespace rag::core
