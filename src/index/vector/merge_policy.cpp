#include "index/vector/merge_policy.hpp"

#include <algorithm>

namespace rag::core {
namespace {

// A segment with a larger share of dead rows is built again: they cost space and the walk's time.
constexpr double kLargestDeadShare = 0.2;
// More sealed segments than this, which only files of older versions have, are merged: each costs a walk of its own.
constexpr std::size_t kMostSegments = 8;
// A copied row costs a hundredth of an inserted one.
constexpr std::size_t kCopiesPerRow = 32;
// So many times its tail limit an index takes at once: what is taken is there twice meanwhile, so this is memory that does not
// grow with the index. Only where a tail that long is not due yet is it more.
constexpr std::size_t kLargestStep = 4;

struct Parts {
    std::vector<VectorSegment> sealed;  // the largest first
    std::vector<VectorSegment> tail;    // the oldest first
    std::size_t sealed_rows = 0;
    std::size_t tail_rows = 0;
};

Parts parts_of(const std::vector<VectorSegment>& segments) {
    Parts parts;
    for (const VectorSegment& segment : segments) {
        (segment.graph ? parts.sealed_rows : parts.tail_rows) += segment.rows->size();
        (segment.graph ? parts.sealed : parts.tail).push_back(segment);
    }
    std::stable_sort(parts.sealed.begin(), parts.sealed.end(),
                     [](const VectorSegment& a, const VectorSegment& b) { return a.rows->size() > b.rows->size(); });
    return parts;
}

/// The largest sealed segment, if there is one, and of `pieces` the first ones up to `rows` rows, but at least one.
MergePlan extend(const Parts& parts, const std::vector<VectorSegment>& pieces, std::size_t rows) {
    MergePlan plan;
    if (!parts.sealed.empty()) {
        plan.base = true;
        plan.sources.push_back(parts.sealed.front());
    }
    std::size_t taken = 0;
    for (const VectorSegment& piece : pieces) {
        if (taken > 0 && taken + piece.rows->size() > rows) break;
        taken += piece.rows->size();
        plan.sources.push_back(piece);
    }
    return plan;
}

}  // namespace

bool mostly_dead(std::size_t rows, std::size_t dead) {
    return static_cast<double>(dead) > kLargestDeadShare * static_cast<double>(rows);
}

MergePlan plan_merge(const std::vector<VectorSegment>& segments, std::size_t tail_limit) {
    const Parts parts = parts_of(segments);
    const auto dead = std::find_if(parts.sealed.begin(), parts.sealed.end(), [](const VectorSegment& segment) {
        return mostly_dead(segment.rows->size(), segment.rows->dead_count());
    });
    if (dead != parts.sealed.end()) return {{*dead}, false};
    const std::size_t due = std::max(tail_limit, parts.sealed_rows / kCopiesPerRow);
    if (parts.tail_rows >= due) return extend(parts, parts.tail, std::max(kLargestStep * tail_limit, due));
    if (parts.sealed.size() > kMostSegments) {
        return extend(parts, {parts.sealed.begin() + 1, parts.sealed.end()}, parts.sealed_rows);
    }
    return {};
}

MergePlan plan_compact(const std::vector<VectorSegment>& segments) {
    const Parts parts = parts_of(segments);
    const bool whole = !parts.sealed.empty() && parts.sealed.front().rows->dead_count() == 0;
    if (whole && segments.size() == 1) return {};
    if (!whole) return {segments, false};
    MergePlan plan{parts.sealed, true};
    plan.sources.insert(plan.sources.end(), parts.tail.begin(), parts.tail.end());
    return plan;
}

MergePlan plan_seal(const std::vector<VectorSegment>& segments) {
    const Parts parts = parts_of(segments);
    if (parts.tail.empty()) return {};
    return extend(parts, parts.tail, parts.tail_rows);
}

}  // namespace rag::core
