// Several segments become one without their removed documents. The work is done on immutable input, so readers go on meanwhile.
#pragma once

#include <span>

#include "index/bm25/segment_writer.hpp"
#include "index/bm25/snapshot.hpp"

namespace rag::core {

/// The live documents of `states` (at least one) as the parts of one segment. kInvalidArgument if they are too many for one.
SegmentParts merge_segments(std::span<const SegmentState> states);

}  // namespace rag::core
