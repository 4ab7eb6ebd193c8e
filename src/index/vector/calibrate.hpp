// How wide the walk's beam must be over one finished graph: rows of the graph itself are asked for their neighbours, each as if
// it were not there, and the answers are compared with those of a scan. Embeddings of text need the least beam that there is;
// vectors without structure, whose neighbours are hardly nearer than others, need one many times wider, until scanning every row
// is cheaper. So the promise of recall holds for vectors that nobody has seen before, and only those pay for it who need it. In:
// a sealed segment. Out: a beam. Thread rule: a pure function of its input, the same for the same rows and links.
#pragma once

#include <cstdint>
#include <limits>

#include "index/vector/segment.hpp"

namespace rag::core {

/// The beam that every walk has at least.
inline constexpr std::uint32_t kLeastBeam = 128;
/// In the place of a beam: a scan is cheaper than a walk that finds enough.
inline constexpr std::uint32_t kScanInstead = std::numeric_limits<std::uint32_t>::max();

/// The least of 128 and its multiples by 1.5, 1.5 * 1.5, ... whose walks find at least 99.5 of 100 of the ten nearest rows, over
/// 64 rows; or kScanInstead. Takes about the time of inserting 200 rows and of scanning the segment ten times. Polls `progress`.
std::uint32_t calibrate_beam(const VectorSegment& segment, Metric metric, const Progress& progress);

/// The beam for a search that leaves it to the index: `ef` of the caller's rule, wider by what the graph was found to need.
/// Graphs of files from before this was measured have none: they are walked as the rule says.
std::size_t needed_beam(const Graph& graph, std::size_t ef);

}  // namespace rag::core
