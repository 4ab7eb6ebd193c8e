#include "index/vector/vector_index.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rag::core {
namespace {

constexpr std::size_t kLargestDimension = 65'536;
constexpr std::size_t kLargestM = 512;
constexpr std::size_t kLargestEf = 65'536;
// hnswlib counts rows of a graph in an int.
constexpr std::size_t kLargestIndex = std::numeric_limits<std::int32_t>::max();
// Rows of a new piece of the tail, when add() brings fewer.
constexpr std::size_t kTailPiece = 1024;

void check_range(std::string_view name, std::size_t value, std::size_t least, std::size_t most) {
    if (value < least || value > most) fail(Code::kInvalidArgument, "{} is {}, it may be {} to {}", name, value, least, most);
}

}  // namespace

VectorIndex::VectorIndex(const VectorIndexOptions& options) : options_(options), segments_(std::make_shared<Segments>()) {
    check_range("dimension", options.dimension, 1, kLargestDimension);
    check_range("m", options.m, 2, kLargestM);
    check_range("ef_construction", options.ef_construction, 1, kLargestEf);
    check_range("tail_limit", options.tail_limit, 1, kLargestIndex);
    check_range("metric", static_cast<std::size_t>(options.metric), 0, static_cast<std::size_t>(Metric::kL2));
    check_range("type", static_cast<std::size_t>(options.type), 0, static_cast<std::size_t>(VectorType::kInt8));
}

VectorIndex::~VectorIndex() = default;

std::shared_ptr<const VectorIndex::Segments> VectorIndex::snapshot() const {
    const std::lock_guard lock(snapshot_mutex_);
    return segments_;
}

/// Checks one vector and sets its length; returns the factor that the stored values are multiplied by. `row` names it in errors,
/// kNoRow means a query. Sums in double, where no float can overflow.
double VectorIndex::check_vector(const float* values, std::size_t row, float& length) const {
    const auto name = [&] { return row == kNoRow ? std::string("the query") : fmt::format("vector {}", row); };
    double squared = 0;
    for (std::size_t i = 0; i < options_.dimension; ++i)
        squared += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    if (!std::isfinite(squared)) {
        for (std::size_t i = 0; i < options_.dimension; ++i) {
            if (!std::isfinite(values[i])) fail(Code::kInvalidArgument, "{} holds {} at position {}", name(), values[i], i);
        }
    }
    constexpr double kLargest = std::numeric_limits<float>::max();
    const bool cosine = options_.metric == Metric::kCosine;
    const double exact = std::sqrt(squared);
    // Without cosine a quarter, so that the squared distance of two such vectors is a float too.
    if (cosine ? exact > kLargest : squared > kLargest / 4) {
        fail(Code::kInvalidArgument, "{} has length {:g}, too long for float32", name(), exact);
    }
    if (cosine && exact < static_cast<double>(std::numeric_limits<float>::min())) {
        fail(Code::kInvalidArgument, "{} has length {:g}, which has no direction for cosine", name(), exact);
    }
    length = static_cast<float>(exact);
    return cosine ? 1.0 / exact : 1.0;
}

void VectorIndex::check_new_ids(std::span<const std::int64_t> ids) const {
    // places_ is only changed by writers, and this is the one.
    for (std::size_t row = 0; row < ids.size(); ++row) {
        if (places_.contains(ids[row])) fail(Code::kAlreadyExists, "id {} of row {} is in the index already", ids[row], row);
    }
    std::vector<std::pair<std::int64_t, std::size_t>> sorted(ids.size());
    for (std::size_t row = 0; row < ids.size(); ++row) sorted[row] = {ids[row], row};
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        if (sorted[i].first != sorted[i - 1].first) continue;
        fail(Code::kAlreadyExists, "id {} is given twice, in rows {} and {}", sorted[i].first, sorted[i - 1].second,
             sorted[i].second);
    }
}

void VectorIndex::add(std::span<const std::int64_t> ids, std::span<const float> vectors, const Progress& progress) {
    const std::lock_guard writing(writer_);
    if (ids.size() > kLargestIndex - std::min(kLargestIndex, places_.size())) {
        fail(Code::kUnsupported, "{} rows on top of {}: a vector index holds at most {}", ids.size(), places_.size(),
             kLargestIndex);
    }
    if (vectors.size() != ids.size() * options_.dimension) {
        fail(Code::kInvalidArgument, "{} values are given for {} rows of dimension {}, which need {}", vectors.size(), ids.size(),
             options_.dimension, ids.size() * options_.dimension);
    }
    try {
        check_new_ids(ids);
        std::vector<float> lengths(ids.size());
        std::vector<double> factors(ids.size());
        for (std::size_t row = 0; row < ids.size(); ++row) {
            factors[row] = check_vector(vectors.data() + row * options_.dimension, row, lengths[row]);
        }
        report(progress, 0, ids.size());
        append(ids, vectors, lengths, factors);
    } catch (const std::bad_alloc&) {
        fail(Code::kOutOfMemory, "{} rows x {} need more memory than there is", ids.size(), options_.dimension);
    }
    maintain(progress);
}

/// Puts checked rows into the tail: all of them or, on bad_alloc, none.
void VectorIndex::append(std::span<const std::int64_t> ids, std::span<const float> vectors, std::span<const float> lengths,
                         std::span<const double> factors) {
    const auto put = [&](Rows& to, std::size_t row) {
        to.append(ids[row], vectors.data() + row * options_.dimension, factors[row], lengths[row]);
    };
    Rows* open = nullptr;  // the piece with room, if there is one
    if (!segments_->empty() && !segments_->back().graph) open = segments_->back().rows.get();
    const std::size_t open_size = open == nullptr ? 0 : open->size();
    const std::size_t fitting = open == nullptr ? 0 : std::min(ids.size(), open->capacity() - open_size);

    auto next = std::make_shared<Segments>(*segments_);
    std::shared_ptr<Rows> piece;
    if (fitting < ids.size()) {
        const std::size_t rest = ids.size() - fitting;
        piece = std::make_shared<Rows>(options_.dimension, std::max(rest, std::min(options_.tail_limit, kTailPiece)));
        for (std::size_t row = fitting; row < ids.size(); ++row) put(*piece, row);
        next->push_back({piece, nullptr, nullptr});
    }
    const std::unique_lock places_lock(places_mutex_);
    std::size_t placed = 0;
    try {
        // One row at a time, the map's own growth is the better one.
        if (ids.size() > places_.size() / 2) places_.reserve(places_.size() + ids.size());
        for (; placed < ids.size(); ++placed) {
            Rows* rows = placed < fitting ? open : piece.get();
            const std::size_t row = placed < fitting ? open_size + placed : placed - fitting;
            places_.emplace(ids[placed], Place{rows, static_cast<std::uint32_t>(row)});
        }
    } catch (const std::bad_alloc&) {
        for (std::size_t i = 0; i < placed; ++i) places_.erase(ids[i]);
        throw;
    }
    for (std::size_t row = 0; row < fitting; ++row) put(*open, row);
    const std::lock_guard snapshot_lock(snapshot_mutex_);
    segments_ = std::move(next);
}

std::size_t VectorIndex::remove(std::span<const std::int64_t> ids) {
    const std::lock_guard writing(writer_);
    std::size_t removed = 0;
    {
        const std::unique_lock lock(places_mutex_);
        for (const std::int64_t id : ids) {
            const auto found = places_.find(id);
            if (found == places_.end()) continue;
            found->second.rows->kill(found->second.row);
            places_.erase(found);
            ++removed;
        }
    }
    if (removed > 0) maintain({});
    return removed;
}

std::size_t VectorIndex::size() const {
    const std::shared_lock lock(places_mutex_);
    return places_.size();
}

bool VectorIndex::contains(std::int64_t id) const {
    const std::shared_lock lock(places_mutex_);
    return places_.contains(id);
}

bool VectorIndex::get(std::int64_t id, std::span<float> out) const {
    if (out.size() != options_.dimension) {
        fail(Code::kInvalidArgument, "{} values are asked for, the dimension is {}", out.size(), options_.dimension);
    }
    const std::shared_lock lock(places_mutex_);  // keeps the rows alive too: segments change under it
    const auto found = places_.find(id);
    if (found == places_.end()) return false;
    const Place place = found->second;
    const float* from = place.rows->vector(place.row);
    const double factor = options_.metric == Metric::kCosine ? static_cast<double>(place.rows->length(place.row)) : 1.0;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(static_cast<double>(from[i]) * factor);
    return true;
}

std::vector<std::int64_t> VectorIndex::ids() const {
    std::vector<std::int64_t> all;
    {
        const std::shared_lock lock(places_mutex_);
        all.reserve(places_.size());
        for (const auto& [id, place] : places_) all.push_back(id);
    }
    std::sort(all.begin(), all.end());
    return all;
}

std::size_t VectorIndex::default_ef(std::size_t k) noexcept {
    constexpr std::size_t kLeast = 128;
    return std::max(kLeast, k > kLargestIndex ? k : 2 * k);
}

/// The query as rows are stored: padded, and under cosine of length 1.
void VectorIndex::fill_query(std::span<const float> query, Scratch& scratch) const {
    if (query.size() != options_.dimension) {
        fail(Code::kInvalidArgument, "the query has {} values, the index has dimension {}", query.size(), options_.dimension);
    }
    float length = 0;
    const double factor = check_vector(query.data(), kNoRow, length);
    const std::size_t stride = padded_floats(options_.dimension);
    if (scratch.query.size() < stride) scratch.query = AlignedArray<float>(stride);
    float* to = scratch.query.data();
    for (std::size_t i = 0; i < query.size(); ++i) to[i] = static_cast<float>(static_cast<double>(query[i]) * factor);
    std::fill(to + query.size(), to + stride, 0.0F);
}

std::vector<Neighbour> VectorIndex::run(std::span<const float> query, std::size_t k, std::size_t ef, const IdSet* filter,
                                        bool exact) const {
    const auto scratch = scratches_.take();
    fill_query(query, *scratch);
    const auto segments = snapshot();
    std::size_t rows = 0;
    for (const VectorSegment& segment : *segments) rows += segment.rows->size();
    const SegmentQuery asked{options_.metric, scratch->query.data(), std::min(k, rows), std::min(ef, rows), filter};
    TopK top(asked.k);
    if (asked.k == 0) return {};
    for (const VectorSegment& segment : *segments) {
        if (exact) {
            scan_segment(segment, asked, *scratch, top);
        } else {
            search_segment(segment, asked, *scratch, top);
        }
    }
    return top.take();
}

std::vector<Neighbour> VectorIndex::search(std::span<const float> query, std::size_t k, std::size_t ef,
                                           const IdSet* filter) const {
    return run(query, k, ef == 0 ? default_ef(k) : ef, filter, false);
}

std::vector<Neighbour> VectorIndex::search_exact(std::span<const float> query, std::size_t k, const IdSet* filter) const {
    return run(query, k, 0, filter, true);
}

VectorIndexStats VectorIndex::stats() const {
    VectorIndexStats out;
    const auto segments = snapshot();
    for (const VectorSegment& segment : *segments) {
        const std::size_t rows = segment.rows->size();
        out.live += segment.live();
        out.dead += segment.rows->dead_count();
        out.vector_bytes += rows * segment.rows->stride() * sizeof(float);
        if (segment.graph) {
            ++out.segments;
            out.graph_bytes += segment.graph->bytes();
            out.stragglers += segment.graph->stragglers.size();
        } else {
            out.tail_rows += segment.live();
        }
        if (segment.codes) out.graph_bytes += rows * (segment.codes->stride() + sizeof(CodeMeta));
    }
    return out;
}

}  // namespace rag::core
