// A fixed set of int64 ids: what a filter allows. It is asked once for every candidate of a search, so `contains` must cost
// nanoseconds: one bit where the ids are dense (the chunks of a knowledge base), a roaring bitmap where they are not (Lemire et
// al., "Roaring Bitmaps: Implementation of an Optimized Software Library", SPE 2018). How many ids there are, and how many
// between two, is known at once, so a search can tell a rare filter from a common one before it begins. Thread rule: immutable;
// any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace rag::core {

class IdSet {
  public:
    IdSet();
    /// In any order, also twice. kOutOfMemory.
    explicit IdSet(std::span<const std::int64_t> ids);
    /// From `first` to `last`, both of them; nothing if last is below first. At most 2^40 ids, else kInvalidArgument.
    static IdSet range(std::int64_t first, std::int64_t last);
    /// What is in both, and what is in `a` alone.
    static IdSet intersection(const IdSet& a, const IdSet& b);
    static IdSet difference(const IdSet& a, const IdSet& b);
    ~IdSet();
    IdSet(IdSet&&) noexcept;
    IdSet& operator=(IdSet&&) noexcept;
    IdSet(const IdSet&) = delete;
    IdSet& operator=(const IdSet&) = delete;

    bool contains(std::int64_t id) const noexcept {
        if (bits_.empty()) return contains_sparse(id);
        const std::uint64_t at = static_cast<std::uint64_t>(id) - static_cast<std::uint64_t>(first_);
        return at / 64 < bits_.size() && (bits_[at / 64] >> (at % 64) & 1U) != 0;
    }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    /// How many are in [first, last].
    std::size_t count(std::int64_t first, std::int64_t last) const noexcept;
    /// All, ascending.
    std::vector<std::int64_t> ids() const;
    /// Those in [first, last], ascending.
    std::vector<std::int64_t> ids(std::int64_t first, std::int64_t last) const;
    /// Memory, nearly.
    std::size_t bytes() const noexcept { return bytes_; }

  private:
    struct Part;  // the ids that share their upper 32 bits
    bool contains_sparse(std::int64_t id) const noexcept;
    void settle();

    std::vector<Part> parts_;  // ascending, none empty
    std::vector<std::uint64_t> bits_;
    std::int64_t first_ = 0;  // of bits_, and the least id
    std::size_t size_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace rag::core
