// The exact search of an index's tail at a quarter of the memory: int8 codes tell which rows may be among the best, floats
// decide (code_bound.hpp).
// Twin: scan_segment, which scores every row. Equal results, whatever the rows. Thread rule: as search_segment.
#pragma once

#include "index/vector/segment.hpp"

namespace rag::core {

/// Offers of the live, allowed rows at least those that `top` would keep. Rows without codes are scored one by one.
void scan_tail(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top);

}  // namespace rag::core
