// Puts the parts of a segment together: hash table, forward lists and bounds are derived here, so that the builder (from texts)
// and the merger (from segments) give the same bytes for the same documents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "index/bm25/segment.hpp"

namespace rag::core {

struct SegmentParts {
    std::vector<std::int64_t> ids;            // ascending
    std::vector<std::uint32_t> lengths;       // of the documents
    std::string strings;                      // of the terms, ascending bytewise
    std::vector<std::uint32_t> term_ends;     // in strings
    std::vector<std::uint64_t> posting_ends;  // of the terms
    std::vector<std::uint32_t> docs;
    std::vector<std::uint8_t> frequencies;
    std::vector<LongFrequency> long_frequencies;
    std::vector<std::uint64_t> position_ends;  // of the documents; empty: an index without positions
    std::vector<std::uint8_t> positions;
};

/// The segment's bytes. k1 (in units of frequency) and b shape the bounds. Polls `progress`.
std::vector<std::byte> write_segment(const SegmentParts& parts, double k1, double b, const Progress& progress = {});
/// The segment itself, with its positions if the parts have any.
std::shared_ptr<const Segment> make_segment(const SegmentParts& parts, double k1, double b, const Progress& progress = {});

/// Largest total of term bytes a segment may hold; the builder closes a segment before.
inline constexpr std::size_t kMaxSegmentStrings = 0x7FFFFFFFU;

}  // namespace rag::core
