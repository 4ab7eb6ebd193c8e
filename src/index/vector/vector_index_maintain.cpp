// The life of segments: sealing the tail, merging, dropping tombstones, saving and loading, verifying.
// New segments are built beside the old ones and swapped in, so searches and writers go on meanwhile.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/atomic_file.hpp"
#include "core/log.hpp"
#include "core/mapped_file.hpp"
#include "core/thread_pool.hpp"
#include "index/vector/kernels.hpp"
#include "index/vector/merge_policy.hpp"
#include "index/vector/vector_file.hpp"
#include "index/vector/vector_index.hpp"

namespace rag::core {
namespace {

/// No id lives twice; `why` names the first that does. Segments whose ranges of ids do not meet need no look at their rows.
bool ids_differ(const std::vector<VectorSegment>& segments, std::string& why) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        const Rows& rows = *segments[i].rows;
        const auto meets = [&](const Rows& other) {
            return other.least_id() <= rows.greatest_id() && rows.least_id() <= other.greatest_id();
        };
        std::vector<const Rows*> others;
        for (std::size_t j = i + 1; j < segments.size(); ++j) {
            if (meets(*segments[j].rows)) others.push_back(segments[j].rows.get());
        }
        const bool own_twice = !rows.ascending();
        if (others.empty() && !own_twice) continue;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            if (rows.dead(row)) continue;
            bool twice = own_twice && rows.find(rows.id(row)) != row;
            for (const Rows* other : others) twice = twice || other->find(rows.id(row)) != kNoRow;
            if (!twice) continue;
            why = fmt::format("id {} is there twice", rows.id(row));
            return false;
        }
    }
    return true;
}

}  // namespace

GraphOptions VectorIndex::graph_options() const {
    return {options_.metric, options_.m, options_.ef_construction, options_.seed,
            options_.threads == 0 ? available_cpus() : options_.threads};
}

/// Makes the sources of plan(list) one sealed segment (none if all rows are dead). False: the plan has none. Writers are kept out
/// only while the rows are noted and while the list is swapped.
template <typename Plan>
bool VectorIndex::rebuild(const Plan& plan, const Progress& progress) {
    const std::lock_guard building(building_);
    const SmallPages beside_searches(options_.background);
    std::optional<Rebuild> work;
    {
        const std::lock_guard writing(writer_);
        const MergePlan chosen = plan(*segments_);
        if (chosen.sources.empty()) return false;
        const auto holds_open = [&](const VectorSegment& segment) { return segment.rows.get() == open_; };
        if (std::any_of(chosen.sources.begin(), chosen.sources.end(), holds_open)) open_ = nullptr;
        work.emplace(chosen);
    }
    // int8 segments have codes of their own.
    work->copy(options_.dimension, options_.type == VectorType::kInt8 ? RowCodes::kNone : RowCodes::kKept, progress);
    std::optional<VectorSegment> added;
    if (work->rows()->size() > 0) {
        added = make_segment(work->rows(), work->base(), options_.type, graph_options(), progress);
    }
    publish(*work, added);
    return true;
}

void VectorIndex::publish(Rebuild& rebuild, const std::optional<VectorSegment>& added) {
    const std::lock_guard writing(writer_);
    const auto is_source = [&](const VectorSegment& segment) {
        return std::any_of(rebuild.sources().begin(), rebuild.sources().end(),
                           [&](const VectorSegment& source) { return source.rows == segment.rows; });
    };
    auto next = std::make_shared<Segments>();
    next->reserve(segments_->size() + 1);
    if (added) next->push_back(*added);
    std::copy_if(segments_->begin(), segments_->end(), std::back_inserter(*next),
                 [&](const VectorSegment& segment) { return !is_source(segment); });
    // Sealed ones first, the pieces of the tail after them in their order.
    std::stable_partition(next->begin(), next->end(), [](const VectorSegment& segment) { return segment.graph != nullptr; });
    rebuild.repeat_removals();
    set_snapshot(std::move(next));
}

bool VectorIndex::maintain(const Progress& progress) {
    return rebuild([&](const Segments& segments) { return plan_merge(segments, options_.tail_limit); }, progress);
}

void VectorIndex::seal(const Progress& progress) {
    rebuild(plan_seal, progress);
}

void VectorIndex::compact(const Progress& progress) {
    rebuild(plan_compact, progress);
}

/// What add() and remove() leave to do. The rows are in or out already, so only the caller's own stop is reported; without
/// memory for a graph the tail grows, which is slower and not wrong, and the next add() tries again.
void VectorIndex::tidy(const Progress& progress) {
    try {
        while (maintain(progress)) {
        }
    } catch (const Stopped&) {
        throw;
    } catch (const Error& error) {
        log(LogLevel::kWarning, "a vector index of {} rows stays unmerged: {}", size(), error.what());
    } catch (const std::bad_alloc&) {
        log(LogLevel::kWarning, "a vector index of {} rows stays unmerged: out of memory", size());
    }
}

std::vector<FrozenSegment> VectorIndex::frozen() const {
    const std::lock_guard writing(writer_);
    return {segments_->begin(), segments_->end()};
}

void VectorIndex::save(const std::filesystem::path& file, const Progress& progress) const {
    const std::uint64_t number = sequence();
    const auto segments = frozen();
    AtomicFile out(file);
    write_vector_file(options_, number, segments, [&](std::span<const std::byte> bytes) {
        report(progress, out.offset(), 0);
        out.write(bytes);
    });
    out.commit();
}

std::vector<std::byte> VectorIndex::serialize() const {
    std::vector<std::byte> out;
    write_vector_file(options_, sequence(), frozen(),
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
        file.options.background = expected->background;
    }
    auto index = std::make_unique<VectorIndex>(file.options);
    index->set_sequence(file.sequence);
    index->adopt(std::move(file.segments), name);
    return index;
}

/// Takes the segments of a file; the index is new and not shared yet.
void VectorIndex::adopt(Segments segments, const std::string& name) {
    std::string why;
    if (!ids_differ(segments, why)) fail(Code::kCorrupt, "{}: {}", name, why);
    segments_ = std::make_shared<Segments>(std::move(segments));
}

namespace {

constexpr std::size_t kRowsPerReport = 1024;

bool verify_rows(const Rows& rows, Metric metric, std::string& why, const Progress& progress) {
    constexpr double kUnitTolerance = 1e-4;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        if (row % kRowsPerReport == 0) report(progress, 0, 0);
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

bool verify_codes(const VectorSegment& segment, std::string& why, const Progress& progress) {
    const Rows& rows = *segment.rows;
    std::vector<std::int8_t> codes(padded_codes(rows.dimension()));
    for (std::size_t row = 0; row < rows.size(); ++row) {
        if (row % kRowsPerReport == 0) report(progress, 0, 0);
        bool right = true;
        if (segment.codes) {
            encode_row(rows.vector(row), rows.dimension(), codes.data());
            right = std::equal(codes.begin(), codes.end(), segment.codes->row(row));
        }
        if (rows.codes() != nullptr) {
            const BoundedMeta made = encode_bounded_row(rows.vector(row), rows.dimension(), codes.data());
            const BoundedMeta& kept = rows.codes()->meta(row);
            right = right && made == kept && std::equal(codes.begin(), codes.end(), rows.codes()->row(row));
        }
        if (right) continue;
        why = fmt::format("the codes of id {} are not those of its vector", rows.id(row));
        return false;
    }
    return true;
}

}  // namespace

bool VectorIndex::verify(std::string& why, const Progress& progress) const {
    const std::lock_guard writing(writer_);
    for (const VectorSegment& segment : *segments_) {
        const Rows& rows = *segment.rows;
        for (std::size_t row = 0; row < rows.size(); ++row) {
            if (rows.dead(row) || rows.find(rows.id(row)) == row) continue;
            why = fmt::format("row {} with id {} is live but not found by its id", row, rows.id(row));
            return false;
        }
        if (!verify_rows(rows, options_.metric, why, progress)) return false;
        if (!verify_codes(segment, why, progress)) return false;
        if (!segment.graph) continue;
        if (!segment.graph->check(why)) return false;
        if (segment.graph->rows() != rows.size() || segment.graph->unreached(progress) != segment.graph->stragglers) {
            why = fmt::format("the list of {} unreachable rows does not fit the graph of {}", segment.graph->stragglers.size(),
                              rows.size());
            return false;
        }
    }
    return ids_differ(*segments_, why);
}

}  // namespace rag::core
