#include "index/vector/id_table.hpp"

#include <bit>

namespace rag::core {

IdTable::IdTable(std::size_t capacity) : mask_(std::bit_ceil(2 * capacity + 1) - 1), slots_(mask_ + 1) {}

/// The finalizer of MurmurHash3: ids are often consecutive, and the slots of neighbours must not run together.
std::size_t IdTable::begin_of(std::int64_t id) const noexcept {
    auto hash = static_cast<std::uint64_t>(id);
    hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDULL;
    hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53ULL;
    return static_cast<std::size_t>(hash ^ (hash >> 33)) & mask_;
}

void IdTable::insert(std::int64_t id, std::uint32_t row) noexcept {
    std::size_t at = begin_of(id);
    while (slots_[at].load(std::memory_order_relaxed) != 0) at = (at + 1) & mask_;
    slots_[at].store(row + 1, std::memory_order_release);
}

}  // namespace rag::core
