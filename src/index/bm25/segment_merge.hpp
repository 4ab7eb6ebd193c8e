// Several segments become one without their removed documents. The work is done on immutable input, so readers go on meanwhile.
#pragma once

#include <span>

#include "core/cancel.hpp"
#include "index/bm25/segment_writer.hpp"
#include "index/bm25/snapshot.hpp"

namespace rag::core {

/// The live documents of `states` (at least one) as the parts of one segment. kInvalidArgument if they are too many for one.
/// `progress` counts postings that were read; Stopped.
SegmentParts merge_segments(std::span<const SegmentState> states, const Progress& progress = {});

}  // namespace rag::core
