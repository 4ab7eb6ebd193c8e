#include "index/vector/merge_policy.hpp"

#include <algorithm>
#include <iterator>

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

std::vector<VectorSegment> choose_rebuild(const std::vector<VectorSegment>& segments, std::size_t tail_limit) {
    std::size_t tail_rows = 0;
    std::vector<VectorSegment> tail;
    std::vector<VectorSegment> sealed;
    for (const VectorSegment& segment : segments) {
        if (!segment.graph) tail_rows += segment.rows->size();
        (segment.graph ? sealed : tail).push_back(segment);
    }
    if (tail_rows >= tail_limit) return tail;
    const auto dead = std::find_if(sealed.begin(), sealed.end(), mostly_dead);
    if (dead != sealed.end()) return {*dead};
    if (sealed.size() > kMostSegments) return smallest_group(std::move(sealed));
    return {};
}

}  // namespace rag::core
