// Where an id stands among the rows of one part of a vector index, for parts whose ids come in any order: an open-addressing
// table of row numbers that is never resized, at most half full.
// Thread rule: one writer inserts; readers look up at the same time without a lock, and see what was inserted before.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rag::core {

class IdTable {
  public:
    /// Room for `capacity` rows.
    explicit IdTable(std::size_t capacity);

    /// The row and its id must be readable by all who read the table's memory after this.
    void insert(std::int64_t id, std::uint32_t row) noexcept;
    /// Calls matches(row) for rows whose ids may be `id` until it returns true, and returns that row; kNone without one.
    template <typename Matches>
    std::uint32_t find(std::int64_t id, const Matches& matches) const noexcept {
        for (std::size_t at = begin_of(id);; at = (at + 1) & mask_) {
            const std::uint32_t entry = slots_[at].load(std::memory_order_acquire);
            if (entry == 0) return kNone;
            if (matches(entry - 1)) return entry - 1;
        }
    }
    std::size_t bytes() const noexcept { return slots_.size() * sizeof(std::uint32_t); }

    static constexpr std::uint32_t kNone = 0xFFFFFFFFU;

  private:
    std::size_t begin_of(std::int64_t id) const noexcept;
    std::size_t mask_;
    std::vector<std::atomic<std::uint32_t>> slots_;  // row + 1; 0: empty
};

}  // namespace rag::core
