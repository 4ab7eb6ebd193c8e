// The exact search of an index's tail at a quarter of the memory: int8 codes tell which rows may be among the best, floats
// decide. For a query q with the code q' and a row x with the code x' (both times their scales):
//     |q.x - q'.x'| = |(q - q').x + q'.(x - x')| <= |q - q'| |x| + |q'| |x - x'|    (Cauchy and Schwarz)
// and both errors were measured when the codes were made, so no row that belongs among the k best is passed over.
// Twin: scan_segment, which scores every row. Equal results, whatever the rows. Thread rule: as search_segment.
#pragma once

#include "index/vector/segment.hpp"

namespace rag::core {

/// Offers of the live, allowed rows at least those that `top` would keep. Rows without codes are scored one by one.
void scan_tail(const VectorSegment& segment, const SegmentQuery& query, Scratch& scratch, TopK& top);

}  // namespace rag::core
