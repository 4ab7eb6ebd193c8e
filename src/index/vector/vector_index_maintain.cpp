// The life of segments: sealing the tail, merging, dropping tombstones, saving and loading, verifying.
// New segments are built beside the old ones and swapped in under the locks, so searches go on meanwhile.
#include <algorithm>
#include <cmath>

#include "core/atomic_file.hpp"
#include "core/log.hpp"
#include "core/mapped_file.hpp"
#include "core/thread_pool.hpp"
#include "index/vector/vector_file.hpp"
#include "index/vector/vector_index.hpp"

namespace rag::core {
namespace {

// A segment with a larger share of dead rows is rebuilt: below it, the walk still meets mostly live rows.
constexpr double kLargestDeadShare = 0.3;
// More sealed segments than this are merged: each costs a walk of its own.
constexpr std::size_t kMostSegments = 8;

bool mostly_dead(const VectorSegment& segment) {
    return static_cast<double>(segment.rows->dead_count()) > kLargestDeadShare * static_cast<double>(segment.rows->size());
}

/// Of sealed segments, the smallest ones as long as each is at most twice all smaller ones together: sizes of segments grow
/// geometrically, so a row is merged a logarithmic number of times.
std::vector<VectorSegment> smallest_group(std::vector<VectorSegment> sealed) {
    std::sort(sealed.begin(), sealed.end(), [](const VectorSegment& a, const VectorSegment& b) { return a.live() < b.live(); });
    std::size_t total = sealed.front().live();
    std::size_t taken = 1;
    while (taken < sealed.size() && (taken < 2 || sealed[taken].live() <= 2 * total)) total += sealed[taken++].live();
    sealed.resize(taken);
    return sealed;
}

}  // namespace

GraphOptions VectorIndex::graph_options() const {
    return {options_.metric, options_.m, options_.ef_construction, options_.seed,
            options_.threads == 0 ? available_cpus() : options_.threads};
}

std::vector<VectorSegment> VectorIndex::tail() const {
    std::vector<VectorSegment> pieces;
    for (const VectorSegment& segment : *segments_) {
        if (!segment.graph) pieces.push_back(segment);
    }
    return pieces;
}

/// Replaces `sources` by one sealed segment of their live rows (by none if all are dead).
void VectorIndex::rebuild(const std::vector<VectorSegment>& sources, const Progress& progress) {
    std::size_t live = 0;
    for (const VectorSegment& source : sources) live += source.live();
    if (live == 0) return publish(sources, {});
    std::shared_ptr<Rows> rows;
    const Rows& first = *sources.front().rows;
    if (sources.size() == 1 && first.dead_count() == 0 && first.size() == first.capacity()) {
        rows = sources.front().rows;
    } else {
        rows = std::make_shared<Rows>(options_.dimension, live);
        for (const VectorSegment& source : sources) {
            for (std::size_t row = 0; row < source.rows->size(); ++row) {
                if (!source.rows->dead(row)) rows->append_copy(*source.rows, row);
            }
        }
    }
    publish(sources, make_segment(std::move(rows), options_.type, graph_options(), progress));
}

void VectorIndex::publish(const std::vector<VectorSegment>& removed, const std::optional<VectorSegment>& added) {
    auto next = std::make_shared<Segments>();
    next->reserve(segments_->size() + 1);
    const auto is_removed = [&](const VectorSegment& segment) {
        return std::any_of(removed.begin(), removed.end(),
                           [&](const VectorSegment& other) { return other.rows == segment.rows; });
    };
    if (added) next->push_back(*added);
    for (const VectorSegment& segment : *segments_) {
        if (!is_removed(segment)) next->push_back(segment);
    }
    // Sealed ones first, the pieces of the tail after them in their order: the last is the one with room.
    std::stable_partition(next->begin(), next->end(), [](const VectorSegment& segment) { return segment.graph != nullptr; });
    const std::unique_lock places_lock(places_mutex_);
    if (added) {
        Rows* rows = added->rows.get();
        for (std::size_t row = 0; row < rows->size(); ++row) {
            if (!rows->dead(row)) places_.find(rows->id(row))->second = {rows, static_cast<std::uint32_t>(row)};
        }
    }
    const std::lock_guard snapshot_lock(snapshot_mutex_);
    segments_ = std::move(next);
}

void VectorIndex::seal(const Progress& progress) {
    const std::lock_guard writing(writer_);
    if (const auto pieces = tail(); !pieces.empty()) rebuild(pieces, progress);
}

void VectorIndex::compact(const Progress& progress) {
    const std::lock_guard writing(writer_);
    const bool tidy = segments_->size() == 1 && segments_->front().graph && segments_->front().rows->dead_count() == 0;
    if (!segments_->empty() && !tidy) rebuild(*segments_, progress);
}

/// What add() and remove() leave to do. The rows are in or out already, so only the caller's own stop is reported; without
/// memory for a graph the tail grows, which is slower and not wrong, and the next add() tries again.
void VectorIndex::maintain(const Progress& progress) {
    try {
        std::size_t tail_rows = 0;
        std::vector<VectorSegment> dead;
        for (const VectorSegment& segment : *segments_) {
            if (!segment.graph) tail_rows += segment.rows->size();
            if (segment.graph && mostly_dead(segment)) dead.push_back(segment);
        }
        if (tail_rows >= options_.tail_limit) rebuild(tail(), progress);
        if (!dead.empty()) rebuild(dead, progress);
        std::vector<VectorSegment> sealed;
        std::copy_if(segments_->begin(), segments_->end(), std::back_inserter(sealed),
                     [](const VectorSegment& segment) { return segment.graph != nullptr; });
        if (sealed.size() > kMostSegments) rebuild(smallest_group(std::move(sealed)), progress);
    } catch (const Stopped&) {
        throw;
    } catch (const Error& error) {
        log(LogLevel::kWarning, "a vector index of {} rows stays unmerged: {}", places_.size(), error.what());
    } catch (const std::bad_alloc&) {
        log(LogLevel::kWarning, "a vector index of {} rows stays unmerged: out of memory", places_.size());
    }
}

void VectorIndex::save(const std::filesystem::path& file) const {
    const std::lock_guard writing(writer_);
    AtomicFile out(file);
    write_vector_file(options_, sequence(), *segments_, [&](std::span<const std::byte> bytes) { out.write(bytes); });
    out.commit();
}

std::vector<std::byte> VectorIndex::serialize() const {
    const std::lock_guard writing(writer_);
    std::vector<std::byte> out;
    write_vector_file(options_, sequence(), *segments_,
                      [&](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); });
    return out;
}

std::unique_ptr<VectorIndex> VectorIndex::load(const std::filesystem::path& file,
                                               const std::optional<VectorIndexOptions>& expected) {
    const auto mapped = MappedFile::open(file);
    return parse(mapped->bytes(), mapped, mapped->name(), expected);
}

std::unique_ptr<VectorIndex> VectorIndex::parse(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                                const std::string& name, const std::optional<VectorIndexOptions>& expected) {
    VectorFile file = read_vector_file(bytes, std::move(owner), name);
    if (expected) {
        if (expected->dimension != file.options.dimension || expected->metric != file.options.metric ||
            expected->type != file.options.type) {
            fail(Code::kInvalidArgument, "{}: dimension {}, metric {}, type {}; expected were {}, {}, {}", name,
                 file.options.dimension, static_cast<int>(file.options.metric), static_cast<int>(file.options.type),
                 expected->dimension, static_cast<int>(expected->metric), static_cast<int>(expected->type));
        }
        file.options.tail_limit = expected->tail_limit;
        file.options.threads = expected->threads;
    }
    auto index = std::make_unique<VectorIndex>(file.options);
    index->set_sequence(file.sequence);
    index->adopt(std::move(file.segments), name);
    return index;
}

/// Takes the segments of a file; the index is new and not shared yet.
void VectorIndex::adopt(Segments segments, const std::string& name) {
    std::size_t live = 0;
    for (const VectorSegment& segment : segments) live += segment.live();
    places_.reserve(live);
    for (const VectorSegment& segment : segments) {
        Rows* rows = segment.rows.get();
        for (std::size_t row = 0; row < rows->size(); ++row) {
            if (rows->dead(row)) continue;
            const bool fresh = places_.emplace(rows->id(row), Place{rows, static_cast<std::uint32_t>(row)}).second;
            if (!fresh) fail(Code::kCorrupt, "{}: id {} is there twice", name, rows->id(row));
        }
    }
    segments_ = std::make_shared<Segments>(std::move(segments));
}

namespace {

bool verify_rows(const Rows& rows, Metric metric, std::string& why) {
    constexpr double kUnitTolerance = 1e-4;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        double squared = 0;
        for (std::size_t i = 0; i < rows.stride(); ++i) {
            squared += static_cast<double>(rows.vector(row)[i]) * static_cast<double>(rows.vector(row)[i]);
        }
        const double expected = metric == Metric::kCosine ? 1.0 : static_cast<double>(rows.length(row));
        // Not "greater": a NaN must fail.
        if (!(std::abs(std::sqrt(squared) - expected) <= kUnitTolerance * std::max(1.0, expected))) {
            why = fmt::format("the vector of id {} has length {:g}, expected {:g}", rows.id(row), std::sqrt(squared), expected);
            return false;
        }
    }
    return true;
}

bool verify_codes(const VectorSegment& segment, std::string& why) {
    std::vector<std::int8_t> codes(segment.codes->stride());
    for (std::size_t row = 0; row < segment.rows->size(); ++row) {
        encode_row(segment.rows->vector(row), segment.rows->dimension(), codes.data());
        if (std::equal(codes.begin(), codes.end(), segment.codes->row(row))) continue;
        why = fmt::format("the codes of id {} are not those of its vector", segment.rows->id(row));
        return false;
    }
    return true;
}

}  // namespace

bool VectorIndex::verify(std::string& why) const {
    const std::lock_guard writing(writer_);
    std::size_t live = 0;
    for (const VectorSegment& segment : *segments_) {
        const Rows& rows = *segment.rows;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            if (rows.dead(row)) continue;
            ++live;
            const auto found = places_.find(rows.id(row));
            if (found == places_.end() || found->second.rows != &rows || found->second.row != row) {
                why = fmt::format("row {} with id {} is live but not listed", row, rows.id(row));
                return false;
            }
        }
        if (!verify_rows(rows, options_.metric, why)) return false;
        if (segment.codes && !verify_codes(segment, why)) return false;
        if (!segment.graph) continue;
        if (!segment.graph->check(why)) return false;
        if (segment.graph->rows() != rows.size() || segment.graph->unreached() != segment.graph->stragglers) {
            why = fmt::format("the list of {} unreachable rows does not fit the graph of {}", segment.graph->stragglers.size(),
                              rows.size());
            return false;
        }
    }
    if (live != places_.size()) why = fmt::format("{} ids are listed, {} rows are live", places_.size(), live);
    return live == places_.size();
}

}  // namespace rag::core
