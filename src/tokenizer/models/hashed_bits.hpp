// A set of 64-bit hashes in one bit each: "may be in it" or "is not". Made large, then folded to the smallest size at which at
// most one bit of sixteen is set, since what is asked for every character should stay near the core. Of a hash the upper bits
// count. Built by one thread, then immutable.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace rag::core {

class HashedBits {
  public:
    /// Room for `count` hashes, 2 MiB at most.
    explicit HashedBits(std::size_t count = 0) {
        unsigned bits = kLeastBits;
        while (bits < kMostBits && (std::size_t{1} << bits) < kBitsEach * count) ++bits;
        shift_ = 64 - bits;
        words_.assign((std::size_t{1} << bits) / 64, 0);
    }
    void set(std::uint64_t hash) noexcept { words_[(hash >> shift_) / 64] |= std::uint64_t{1} << ((hash >> shift_) % 64); }
    bool may_have(std::uint64_t hash) const noexcept {
        return (words_[(hash >> shift_) / 64] >> ((hash >> shift_) % 64) & 1U) != 0;
    }
    std::size_t size_bytes() const noexcept { return words_.size() * sizeof(std::uint64_t); }

    /// Behind the last set(): makes it as small as it may be.
    void fold() {
        std::size_t used = 0;
        for (const std::uint64_t word : words_) used += static_cast<std::size_t>(std::popcount(word));
        unsigned halvings = 0;
        while (64 - shift_ - halvings > kLeastBits && (words_.size() * 64 >> (halvings + 1)) >= kRoom * used) ++halvings;
        if (halvings == 0) return;
        std::vector<std::uint64_t> folded((words_.size() >> halvings), 0);
        for (std::size_t place = 0; place < words_.size() * 64; ++place) {
            if ((words_[place / 64] >> (place % 64) & 1U) == 0) continue;
            folded[(place >> halvings) / 64] |= std::uint64_t{1} << ((place >> halvings) % 64);
        }
        words_.swap(folded);
        shift_ += halvings;
    }

  private:
    static constexpr unsigned kLeastBits = 6, kMostBits = 24;
    static constexpr std::size_t kBitsEach = 4;  // while it is filled: most hashes come several times
    static constexpr std::size_t kRoom = 16;     // bits for each that is set, when folded

    unsigned shift_;
    std::vector<std::uint64_t> words_;
};

}  // namespace rag::core
