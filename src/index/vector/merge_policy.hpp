// Which segments of a vector index are rebuilt next, as one. Pure functions of sizes and tombstones: no thread rule.
#pragma once

#include <cstddef>
#include <vector>

#include "index/vector/segment.hpp"

namespace rag::core {

/// The segments whose rebuilding is due, most urgent first: the tail when it has `tail_limit` rows, a segment of which more than
/// 30% is dead, the smallest segments when there are more than eight. Empty: nothing is due.
std::vector<VectorSegment> choose_rebuild(const std::vector<VectorSegment>& segments, std::size_t tail_limit);

}  // namespace rag::core
