// Random numbers by counter: number i of a stream is a hash of (seed, stream, i), so that any of them can be made again without
// the ones before it (a run that resumes asks for the same numbers). splitmix64's finaliser (Steele, Lea and Flood, OOPSLA 2014,
// https://doi.org/10.1145/2660193.2660195) over the three words. The same numbers on every machine. Not for secrets; pure.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>

namespace rag::core {

inline std::uint64_t mix_bits(std::uint64_t word) noexcept {
    word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27U)) * 0x94d049bb133111ebULL;
    return word ^ (word >> 31U);
}

class CounterRandom {
  public:
    CounterRandom(std::uint64_t seed, std::uint64_t stream) noexcept
        : key_(mix_bits(mix_bits(seed + 0x9e3779b97f4a7c15ULL) + stream * 0x9e3779b97f4a7c15ULL + 1)) {}
    /// A stream that has a name.
    CounterRandom(std::uint64_t seed, std::string_view name) noexcept : CounterRandom(seed, hash(name)) {}

    std::uint64_t bits(std::uint64_t counter) const noexcept { return mix_bits(key_ + (counter + 1) * 0x9e3779b97f4a7c15ULL); }
    /// In [0, 1), 53 bits.
    double uniform(std::uint64_t counter) const noexcept { return static_cast<double>(bits(counter) >> 11U) * 0x1.0p-53; }
    /// In [0, count); count at most 2^32.
    std::uint64_t below(std::uint64_t counter, std::uint64_t count) const noexcept {
        return ((bits(counter) >> 32U) * count) >> 32U;
    }
    /// Mean 0, variance 1 (Box and Muller).
    double normal(std::uint64_t counter) const noexcept {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(2 * counter)));
        return radius * std::cos(2.0 * std::numbers::pi * uniform(2 * counter + 1));
    }
    /// Fisher and Yates.
    template <typename T>
    void shuffle(std::span<T> items) const noexcept {
        for (std::size_t left = items.size(); left > 1; --left) std::swap(items[left - 1], items[below(left, left)]);
    }

  private:
    static std::uint64_t hash(std::string_view name) noexcept {
        std::uint64_t sum = 0xcbf29ce484222325ULL;  // FNV-1a
        for (const char c : name) sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        return sum;
    }
    std::uint64_t key_;
};

}  // namespace rag::core
