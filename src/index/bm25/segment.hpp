// An immutable part of a BM25 index: some documents with their postings, in one block of memory that is the same in RAM and in a
// mapped file. Documents are numbered in the order of their ids, so that postings ascend by id too.
//
// Layout, little-endian, every section on a multiple of 8 bytes:
//   SegmentHeader
//   ids            int64 [documents]     ascending
//   lengths        u32   [documents]     terms in the document
//   forward_ends   u64   [documents]     end of the document's part of `forward`
//   term_ends      u32   [terms]         end of the term's bytes in `strings`; terms ascend bytewise
//   posting_ends   u64   [terms]         end of the term's postings
//   term_bounds    f32   [terms]         largest saturation of the term's postings (see Bounds)
//   slots          u32   [slots]         hash table of term numbers, linear probing, kEmptySlot
//   docs           u32   [postings]      document numbers, ascending within a term
//   frequencies    u8    [postings]      255: look into long_frequencies
//   block_bounds   f32   [postings/128]  largest saturation in postings [128 i, 128 i + 128), whatever their terms
//   long_frequencies  {u64 posting, u64 frequency} [long_frequencies]
//   strings        bytes [string_bytes]
//   forward        bytes [forward_bytes] of each document its term numbers, ascending, as LEB128 differences: what removal needs
// Any number of threads may read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "index/bm25/positions.hpp"

namespace rag::core {

inline constexpr std::uint32_t kEmptySlot = 0xFFFFFFFFU;
inline constexpr std::uint32_t kBlockPostings = 128;
inline constexpr std::uint8_t kLongFrequency = 255;
/// Most documents a segment may hold.
inline constexpr std::uint32_t kMaxSegmentDocuments = 0xFFFFFFF0U;

struct SegmentHeader {
    std::uint32_t documents = 0;
    std::uint32_t terms = 0;
    std::uint64_t postings = 0;
    std::uint64_t total_length = 0;  // sum of lengths
    std::uint64_t long_frequencies = 0;
    std::uint64_t string_bytes = 0;
    std::uint64_t forward_bytes = 0;
    std::uint64_t slots = 0;  // a power of two, more than terms
};

struct LongFrequency {
    std::uint64_t posting = 0;
    std::uint64_t frequency = 0;
};

/// Where the sections lie; computed from the header alone.
struct SegmentLayout {
    explicit SegmentLayout(const SegmentHeader& header, std::string_view name = "segment");  // kCorrupt on overflow
    std::size_t ids, lengths, forward_ends, term_ends, posting_ends, term_bounds, slots, docs, frequencies, block_bounds,
        long_frequencies, strings, forward, size;
};

class Segment {
  public:
    /// Takes a block that write_segment() made, and that of positions if there is one.
    static std::shared_ptr<const Segment> own(std::vector<std::byte> block, std::vector<std::byte> positions = {});
    /// Checks an untrusted block, so that nothing read later can leave it; only the forward lists, which would double the time,
    /// are checked when terms_of() reads them. `owner` keeps the bytes mapped. `positions`: their block, empty if there is none.
    /// kCorrupt names `name` and what contradicts what.
    static std::shared_ptr<const Segment> open(std::span<const std::byte> block, std::shared_ptr<const void> owner,
                                               const std::string& name, std::span<const std::byte> positions = {});

    std::span<const std::byte> block() const noexcept { return block_; }
    const Positions& positions() const noexcept { return positions_; }
    const std::string& name() const noexcept { return name_; }
    std::uint32_t documents() const noexcept { return header_.documents; }
    std::uint32_t terms() const noexcept { return header_.terms; }
    std::uint64_t postings() const noexcept { return header_.postings; }
    std::uint64_t total_length() const noexcept { return header_.total_length; }
    double average_length() const noexcept;

    std::span<const std::int64_t> ids() const noexcept { return ids_; }
    std::span<const std::uint32_t> lengths() const noexcept { return lengths_; }
    std::optional<std::uint32_t> find_document(std::int64_t id) const noexcept;

    std::string_view term(std::uint32_t number) const noexcept;
    std::optional<std::uint32_t> find_term(std::string_view term, std::uint64_t hash) const noexcept;
    /// The first term that is not below `text`; terms() if there is none.
    std::uint32_t first_term_from(std::string_view text) const noexcept;

    /// Postings [first, last) of a term in docs() and frequencies().
    struct Postings {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        std::uint64_t size() const noexcept { return last - first; }
    };
    Postings postings_of(std::uint32_t term) const noexcept;
    const std::uint32_t* docs() const noexcept { return docs_.data(); }
    const std::uint8_t* frequencies() const noexcept { return frequencies_.data(); }
    std::uint64_t frequency(std::uint64_t posting) const noexcept {
        return frequencies_[posting] != kLongFrequency ? frequencies_[posting] : long_frequency(posting);
    }
    /// The posting of `doc` within `range`.
    std::optional<std::uint64_t> find_posting(Postings range, std::uint32_t doc) const noexcept;
    float term_bound(std::uint32_t term) const noexcept { return term_bounds_[term]; }
    std::span<const float> block_bounds() const noexcept { return block_bounds_; }

    /// Replaces `out` by the numbers of the document's terms, ascending. kCorrupt: a forged list in an opened block.
    void terms_of(std::uint32_t doc, std::vector<std::uint32_t>& out) const;

    /// What open() does not check because no read depends on it: forward lists and postings agree, bounds bound. False: `why`.
    bool verify(double k1, double b, std::string& why, const Progress& progress = {}) const;

  private:
    Segment(std::span<const std::byte> block, std::shared_ptr<const void> owner, const std::string& name);
    void check() const;
    void check_documents() const;
    void check_terms() const;
    void check_postings() const;
    std::uint64_t long_frequency(std::uint64_t posting) const noexcept;

    std::vector<std::byte> own_;
    std::vector<std::byte> own_positions_;
    Positions positions_;
    std::shared_ptr<const void> owner_;
    std::span<const std::byte> block_;
    std::string name_;
    SegmentHeader header_;
    std::span<const std::int64_t> ids_;
    std::span<const std::uint32_t> lengths_;
    std::span<const std::uint64_t> forward_ends_;
    std::span<const std::uint32_t> term_ends_;
    std::span<const std::uint64_t> posting_ends_;
    std::span<const float> term_bounds_;
    std::span<const std::uint32_t> slots_;
    std::span<const std::uint32_t> docs_;
    std::span<const std::uint8_t> frequencies_;
    std::span<const float> block_bounds_;
    std::span<const LongFrequency> long_frequencies_;
    std::span<const char> strings_;
    std::span<const std::uint8_t> forward_;
};

/// Saturation of a term's frequency, tf / (tf + k1 (1 - b + b len / average)), the part of BM25 that depends on the posting.
/// Segments keep upper bounds of it for their own average length; for another average a, with r = own / a < 1, the norm shrinks
/// at most to r times itself, hence s' <= 1 / (1 + r (1/s - 1)); for r >= 1 the bound holds as it is.
inline double saturation_norm(double k1, double b, double average, std::uint32_t length) noexcept {
    return k1 * (1 - b + b * length / average);
}
inline float saturation(std::uint64_t frequency, double norm) noexcept {
    const auto count = static_cast<double>(frequency);
    return static_cast<float>(count / (count + norm));
}
float bound_for_average(float bound, double own_average, double average) noexcept;

}  // namespace rag::core
