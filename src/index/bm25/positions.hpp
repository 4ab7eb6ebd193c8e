// Where the terms of each document of a segment stand, for phrases: a second block beside the segment's own, there only if the
// index was made with positions.
//
// Layout, little-endian:
//   ends   u64   [documents]  end of the document's part of `bytes`
//   bytes  u8    [...]        of each document, for each of its terms in ascending order: LEB128 count, LEB128 differences
// It holds no numbers of terms, so that a merge copies a document's part as it is. Any number of threads may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/cancel.hpp"

namespace rag::core {

class Segment;

class Positions {
  public:
    Positions() = default;  // of an index without
    /// kCorrupt names `name`: the block does not hold so many documents. What it says of each is checked when it is read.
    Positions(std::span<const std::byte> block, std::uint32_t documents, const std::string& name);

    bool exist() const noexcept { return !ends_.empty(); }
    std::span<const std::byte> block() const noexcept { return block_; }
    std::span<const std::uint8_t> of(std::uint32_t doc) const noexcept;

  private:
    std::span<const std::byte> block_;
    std::span<const std::uint64_t> ends_;
    std::span<const std::uint8_t> bytes_;
};

/// A term of a phrase and how far behind the first one it stands.
struct PhraseTerm {
    std::uint32_t term = 0;
    std::uint32_t offset = 0;
};

/// Looks for one phrase in documents of one segment. One thread.
class PhraseFinder {
  public:
    /// `segment` has positions; the caller keeps it and `progress`. The first term's offset is 0.
    PhraseFinder(const Segment& segment, std::vector<PhraseTerm> phrase, const Progress& progress);

    /// True if the terms stand in `doc` as in the phrase. kCorrupt: forged lists in an opened block. Polls `progress` without
    /// counts.
    bool matches(std::uint32_t doc);

  private:
    /// Positions of phrase_[i] into places_[i]; false if one of them has none.
    bool read_places(std::uint32_t doc);

    const Segment& segment_;
    std::vector<PhraseTerm> phrase_;
    std::unordered_map<std::uint32_t, std::vector<std::size_t>> by_term_;  // places in phrase_
    std::vector<std::vector<std::uint32_t>> places_;                       // ascending
    const Progress& progress_;
    std::vector<std::uint32_t> terms_;
};

/// Appends the part of one document. `occurrences`: (number of the term, position), ascending.
void append_positions(std::span<const std::pair<std::uint32_t, std::uint32_t>> occurrences, std::vector<std::uint8_t>& bytes);

}  // namespace rag::core
