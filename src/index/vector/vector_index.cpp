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
// A long tail gets larger pieces, about so many of them: each is looked into for every id.
constexpr std::size_t kTailPieces = 16;

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

void VectorIndex::set_snapshot(std::shared_ptr<const Segments> next) {
    const std::lock_guard lock(snapshot_mutex_);
    segments_.swap(next);  // the old list is released after the lock
}

namespace {

/// Where a live id is; rows null: nowhere.
struct Place {
    Rows* rows = nullptr;
    std::uint32_t row = kNoRow;
};
Place find_place(const std::vector<VectorSegment>& segments, std::int64_t id) {
    for (const VectorSegment& segment : segments) {
        const std::uint32_t row = segment.rows->find(id);
        if (row != kNoRow) return {segment.rows.get(), row};
    }
    return {};
}

}  // namespace

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
    for (std::size_t row = 0; row < ids.size(); ++row) {
        if (find_place(*segments_, ids[row]).rows != nullptr)
            fail(Code::kAlreadyExists, "id {} of row {} is in the index already", ids[row], row);
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
    if (vectors.size() != ids.size() * options_.dimension) {
        fail(Code::kInvalidArgument, "{} values are given for {} rows of dimension {}, which need {}", vectors.size(), ids.size(),
             options_.dimension, ids.size() * options_.dimension);
    }
    try {
        std::vector<float> lengths(ids.size());
        std::vector<double> factors(ids.size());
        for (std::size_t row = 0; row < ids.size(); ++row) {
            factors[row] = check_vector(vectors.data() + row * options_.dimension, row, lengths[row]);
        }
        const std::lock_guard writing(writer_);
        const std::size_t live = size();
        if (ids.size() > kLargestIndex - std::min(kLargestIndex, live)) {
            fail(Code::kUnsupported, "{} rows on top of {}: a vector index holds at most {}", ids.size(), live, kLargestIndex);
        }
        check_new_ids(ids);
        report(progress, 0, ids.size());
        append(ids, vectors, lengths, factors);
    } catch (const std::bad_alloc&) {
        fail(Code::kOutOfMemory, "{} rows x {} need more memory than there is", ids.size(), options_.dimension);
    }
    if (!options_.background) tidy(progress);
}

/// Puts checked rows into the tail: all of them or, on bad_alloc, none.
void VectorIndex::append(std::span<const std::int64_t> ids, std::span<const float> vectors, std::span<const float> lengths,
                         std::span<const double> factors) {
    const auto put = [&](Rows& to, std::size_t row) {
        to.append(ids[row], vectors.data() + row * options_.dimension, factors[row], lengths[row]);
    };
    const std::size_t fitting = open_ == nullptr ? 0 : std::min(ids.size(), open_->capacity() - open_->size());
    std::shared_ptr<Segments> next;
    std::shared_ptr<Rows> piece;
    if (fitting < ids.size()) {
        std::size_t tail = 0;
        for (const VectorSegment& segment : *segments_) tail += segment.graph ? 0 : segment.rows->size();
        const std::size_t piece_rows = std::max(std::min(options_.tail_limit, kTailPiece), tail / kTailPieces);
        const std::size_t capacity = std::max(ids.size() - fitting, piece_rows);
        piece = std::make_shared<Rows>(options_.dimension, capacity, IdOrder::kAny, RowCodes::kKept);
        for (std::size_t row = fitting; row < ids.size(); ++row) put(*piece, row);
        next = std::make_shared<Segments>(*segments_);
        next->push_back({piece, nullptr, nullptr});
    }
    for (std::size_t row = 0; row < fitting; ++row) put(*open_, row);
    if (!next) return;
    open_ = piece.get();
    set_snapshot(std::move(next));
}

std::size_t VectorIndex::remove(std::span<const std::int64_t> ids) {
    std::size_t removed = 0;
    {
        const std::lock_guard writing(writer_);
        for (const std::int64_t id : ids) {
            const Place place = find_place(*segments_, id);
            if (place.rows == nullptr) continue;
            place.rows->kill(place.row);
            ++removed;
        }
    }
    if (removed > 0 && !options_.background) tidy({});
    return removed;
}

std::size_t VectorIndex::size() const {
    const auto segments = snapshot();
    std::size_t live = 0;
    for (const VectorSegment& segment : *segments) live += segment.live();
    return live;
}

bool VectorIndex::contains(std::int64_t id) const {
    return find_place(*snapshot(), id).rows != nullptr;
}

bool VectorIndex::get(std::int64_t id, std::span<float> out) const {
    if (out.size() != options_.dimension) {
        fail(Code::kInvalidArgument, "{} values are asked for, the dimension is {}", out.size(), options_.dimension);
    }
    const auto segments = snapshot();
    const Place place = find_place(*segments, id);
    if (place.rows == nullptr) return false;
    const float* from = place.rows->vector(place.row);
    const double factor = options_.metric == Metric::kCosine ? static_cast<double>(place.rows->length(place.row)) : 1.0;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(static_cast<double>(from[i]) * factor);
    return true;
}

std::vector<std::int64_t> VectorIndex::ids() const {
    const auto segments = snapshot();
    std::vector<std::int64_t> all;
    for (const VectorSegment& segment : *segments) {
        const std::size_t rows = segment.rows->size();
        for (std::size_t row = 0; row < rows; ++row) {
            if (!segment.rows->dead(row)) all.push_back(segment.rows->id(row));
        }
    }
    // Sealed segments and the engine's tail are in order already, and sorting finds that out quickly.
    if (!std::is_sorted(all.begin(), all.end())) std::sort(all.begin(), all.end());
    // A row that was removed and added again while this went from one segment to the next is there twice.
    all.erase(std::unique(all.begin(), all.end()), all.end());
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
                                        How how) const {
    const auto scratch = scratches_.take();
    fill_query(query, *scratch);
    const auto segments = snapshot();
    std::size_t rows = 0;
    for (const VectorSegment& segment : *segments) rows += segment.rows->size();
    const SegmentQuery asked{options_.metric, scratch->query.data(), std::min(k, rows), std::min(ef, rows),
                             filter,          how == How::kByRule};
    TopK top(asked.k);
    if (asked.k == 0) return {};
    for (const VectorSegment& segment : *segments) {
        if (how == How::kExactly) {
            scan_segment(segment, asked, *scratch, top);
        } else {
            search_segment(segment, asked, *scratch, top);
        }
    }
    return top.take();
}

std::vector<Neighbour> VectorIndex::search(std::span<const float> query, std::size_t k, std::size_t ef,
                                           const IdSet* filter) const {
    return ef == 0 ? run(query, k, default_ef(k), filter, How::kByRule) : run(query, k, ef, filter, How::kByBeam);
}

std::vector<Neighbour> VectorIndex::search_exact(std::span<const float> query, std::size_t k, const IdSet* filter) const {
    return run(query, k, 0, filter, How::kExactly);
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
        if (const BoundedCodes* codes = segment.rows->codes()) out.graph_bytes += rows * (codes->stride() + sizeof(BoundedMeta));
        if (segment.codes) out.graph_bytes += rows * (segment.codes->stride() + sizeof(CodeMeta));
    }
    return out;
}

}  // namespace rag::core
