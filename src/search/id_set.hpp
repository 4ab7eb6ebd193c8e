// A fixed set of keys that is asked once for every candidate of a filtered search, so `contains` must cost nanoseconds: a bitmap
// where the keys are dense, a binary search where they are not. Thread rule: immutable; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rag::core {

class IdSet {
  public:
    IdSet() = default;
    explicit IdSet(std::vector<std::int64_t> ids) : ids_(std::move(ids)) {
        std::sort(ids_.begin(), ids_.end());
        ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
        if (ids_.empty()) return;
        first_ = ids_.front();
        const auto range = static_cast<std::uint64_t>(ids_.back()) - static_cast<std::uint64_t>(first_) + 1;
        // A bitmap of at most 64 bits a member is never larger than the list itself.
        if (range == 0 || range / 64 > ids_.size()) return;
        bits_.resize(range / 64 + 1);
        for (const std::int64_t id : ids_) {
            const auto at = static_cast<std::uint64_t>(id - first_);
            bits_[at / 64] |= std::uint64_t{1} << (at % 64);
        }
    }

    bool contains(std::int64_t id) const noexcept {
        if (bits_.empty()) return std::binary_search(ids_.begin(), ids_.end(), id);
        const auto at = static_cast<std::uint64_t>(id) - static_cast<std::uint64_t>(first_);
        return at / 64 < bits_.size() && (bits_[at / 64] >> (at % 64) & 1U) != 0;
    }
    std::size_t size() const noexcept { return ids_.size(); }
    bool empty() const noexcept { return ids_.empty(); }
    /// Ascending.
    const std::vector<std::int64_t>& ids() const noexcept { return ids_; }

  private:
    std::vector<std::int64_t> ids_;
    std::vector<std::uint64_t> bits_;
    std::int64_t first_ = 0;
};

}  // namespace rag::core
