// What a search sees: a list of segments, each with its tombstones, and the statistics of all that lives. Snapshots are immutable
// and shared; a writer makes a new one and swaps a pointer, so that readers never wait for it and keep what they began with.
// One writer builds successors; any number of threads read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "index/bm25/segment.hpp"

namespace rag::core {

/// Removed documents of one segment, and by how much they lower the document frequency of each term.
class Tombstones {
  public:
    /// `before` (may be null) and `docs` (live until now) together.
    static std::shared_ptr<const Tombstones> with(const Segment& segment, const std::shared_ptr<const Tombstones>& before,
                                                  std::span<const std::uint32_t> docs);

    bool contains(std::uint32_t doc) const noexcept { return ((bits_[doc / 64] >> (doc % 64)) & 1U) != 0; }
    std::uint32_t count() const noexcept { return count_; }
    std::uint64_t length() const noexcept { return length_; }
    std::uint32_t documents_with(std::uint32_t term) const noexcept;
    std::span<const std::uint64_t> bits() const noexcept { return bits_; }

  private:
    void add_terms(const Segment& segment, const std::vector<std::uint32_t>& terms);

    std::vector<std::uint64_t> bits_;
    std::uint32_t count_ = 0;
    std::uint64_t length_ = 0;
    // Few removals: a sorted list. Many: a count for every term, shared between successive tombstones until the list on top of it
    // has grown long again; so that a removal costs a copy of the short list, not of all counts.
    std::shared_ptr<const std::vector<std::uint32_t>> counts_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> recent_;
};

struct SegmentState {
    std::shared_ptr<const Segment> segment;
    std::shared_ptr<const Tombstones> removed;  // null: none

    std::uint32_t live() const noexcept { return segment->documents() - (removed ? removed->count() : 0); }
    bool is_live(std::uint32_t doc) const noexcept { return !removed || !removed->contains(doc); }
    std::uint64_t live_length() const noexcept { return segment->total_length() - (removed ? removed->length() : 0); }
    /// Live documents that have the term.
    std::uint64_t frequency_of(std::uint32_t term) const noexcept;
};

struct Snapshot {
    std::vector<SegmentState> segments;  // none without live documents
    std::uint64_t documents = 0;         // live
    std::uint64_t total_length = 0;      // of the live ones

    double average_length() const noexcept {
        return documents == 0 ? 0 : static_cast<double>(total_length) / static_cast<double>(documents);
    }
    struct Place {
        std::size_t segment = 0;
        std::uint32_t doc = 0;
    };
    std::optional<Place> find(std::int64_t id) const noexcept;
    std::uint64_t document_frequency(std::string_view term, std::uint64_t hash) const noexcept;
    /// Drops empty segments and adds the statistics up; to be called after `segments` changed.
    void settle();
};

}  // namespace rag::core
