// The merges of a BPE vocabulary: which two neighbouring tokens join, how early, and into what; and the algorithm that applies
// them to one piece. Sennrich et al. 2016. Built by one thread, then immutable; MergeScratch belongs to one call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rag::core {

/// A symbol of a piece while it is merged.
struct Symbol {
    std::int32_t id;
    std::uint32_t end;  // bytes from the start of the piece
};

struct Merge {
    std::int32_t left, right, merged;
    std::uint32_t rank;
};

struct MergeScratch {
    std::vector<Symbol> symbols;
    std::vector<std::uint32_t> ranks;  // of the pair that begins at each symbol
    std::vector<std::uint32_t> next;   // of the long algorithm: linked list
    std::vector<std::uint32_t> previous;
    std::vector<std::uint64_t> heap;  // rank and position
    void shrink();
};

class MergeTable {
  public:
    static constexpr std::uint32_t kNoRank = 0xFFFFFFFFU;

    void reserve(std::size_t count);
    /// The next merge in order of rank. A pair that is there already gets this rank.
    void add(std::int32_t left, std::int32_t right, std::int32_t merged);
    /// Another pair with the rank of the last merge, which makes the same token.
    void add_alike(std::int32_t left, std::int32_t right) { put(left, right, static_cast<std::uint32_t>(merged_.size() - 1)); }
    std::size_t size() const noexcept { return merged_.size(); }
    /// Has the memory at hand when add() comes: large tables are built three times as fast.
    void expect(std::int32_t left, std::int32_t right) const noexcept {
        __builtin_prefetch(&places_[place(pair_key(left, right))], 1);
    }

    std::uint32_t rank(std::int32_t left, std::int32_t right) const noexcept {
        const std::uint64_t key = pair_key(left, right);
        const std::uint64_t hash = key * kMultiplier;
        const std::uint64_t bit = hash >> (shift_ - kFilterBits);
        if ((filter_[bit / 64] >> (bit % 64) & 1U) == 0) return kNoRank;
        for (std::size_t at = static_cast<std::size_t>(hash >> shift_);; at = (at + 1) & mask_) {
            if (places_[at] == kNone) return kNoRank;
            const Pair& pair = pairs_[places_[at]];
            if (pair.left == left && pair.right == right) return pair.rank;
        }
    }

    /// Calls visit(left, right, rank) for every pair, in the order in which they were first added.
    template <typename Visit>
    void for_each(Visit visit) const {
        for (const Pair& pair : pairs_) visit(pair.left, pair.right, pair.rank);
    }

    /// Merges scratch.symbols: always the pair of the lowest rank, of equal ones the leftmost, until none is left.
    /// n log n in the number of symbols.
    void merge(MergeScratch& scratch) const;
    /// The same; `done` gets the merges in the order in which they were done.
    void merge(MergeScratch& scratch, std::vector<Merge>& done) const;

  private:
    static constexpr std::uint32_t kNone = 0xFFFFFFFFU;
    static constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15U;
    static constexpr unsigned kFilterBits = 2;  // four bits a place

    struct Pair {
        std::int32_t left, right;
        std::uint32_t rank;
    };

    static std::uint64_t pair_key(std::int32_t left, std::int32_t right) noexcept {
        return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
    }
    std::size_t place(std::uint64_t key) const noexcept { return static_cast<std::size_t>((key * kMultiplier) >> shift_); }
    void set_filter(std::uint64_t key) noexcept {
        const std::uint64_t bit = (key * kMultiplier) >> (shift_ - kFilterBits);
        filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
    void put(std::int32_t left, std::int32_t right, std::uint32_t rank);
    void grow(unsigned bits);
    void merge_short(MergeScratch& scratch, std::vector<Merge>* done) const;
    void merge_long(MergeScratch& scratch, std::vector<Merge>* done) const;

    // Open addressing over numbers of pairs, at most half used: half a million merges are 6 MB of pairs and 4 MB of places, where
    // a table of the pairs themselves would be 16. Most questions are answered by no, nine of ten of these by the filter, an
    // eighth of the places in size, which stays in the cache of a core.
    std::vector<std::uint64_t> filter_ = std::vector<std::uint64_t>(1);
    std::vector<std::uint32_t> places_ = std::vector<std::uint32_t>(16, kNone);
    std::size_t mask_ = 15;
    unsigned shift_ = 60;
    std::vector<Pair> pairs_;
    std::vector<std::int32_t> merged_;  // by rank
};

}  // namespace rag::core
