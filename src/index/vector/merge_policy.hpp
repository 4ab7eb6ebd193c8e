// Which segments of a vector index become one next. Pure functions of sizes and tombstones: no thread rule.
//
// New rows go into the graph of the largest segment, which is copied for that, so a row is inserted into a graph about once. Each
// step takes at least a thirty-second of what is there, so copying stays a small part, and no more than that or four tails: a
// stop in a long import loses no more than the last step, and what is there twice meanwhile does not grow with the index.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "index/vector/segment.hpp"

namespace rag::core {

struct MergePlan {
    /// Empty: nothing is due. With `base`, the first one's graph is kept, dead rows too, and the live rows of the others are
    /// inserted into it; without, a graph is built of all live rows.
    std::vector<VectorSegment> sources;
    bool base = false;
};

/// More than a fifth of a segment is dead.
bool mostly_dead(std::size_t rows, std::size_t dead);

/// A segment of which more than a fifth is dead, built again; the tail when it has `tail_limit` rows and enough to be worth a
/// copy of the largest segment; all but the largest when there are more than eight.
MergePlan plan_merge(const std::vector<VectorSegment>& segments, std::size_t tail_limit);

/// The whole tail, without waiting for it to be worth it. Empty: there is none.
MergePlan plan_seal(const std::vector<VectorSegment>& segments);

/// All live rows in one segment without tombstones. The graph of the largest one is kept if nothing in it is dead: what is built
/// anew costs a hundred times as much. Empty: it is so already.
MergePlan plan_compact(const std::vector<VectorSegment>& segments);

}  // namespace rag::core
