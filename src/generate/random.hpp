// The sampler's random numbers: xoshiro256++ 1.0 (Blackman and Vigna 2019, public-domain reference), its state filled from the
// seed by splitmix64. The same seed gives the same numbers on every machine. Not for secrets; one object, one thread.
#pragma once

#include <array>
#include <cstdint>

namespace rag::core {

class Random {
  public:
    explicit Random(std::uint64_t seed) noexcept {
        for (std::uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15ULL;
            std::uint64_t mixed = seed;
            mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
            mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
            word = mixed ^ (mixed >> 31U);
        }
    }

    std::uint64_t next() noexcept {
        const std::uint64_t out = rotate(state_[0] + state_[3], 23) + state_[0];
        const std::uint64_t shifted = state_[1] << 17U;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotate(state_[3], 45);
        return out;
    }

    /// Uniform in [0, 1), 53 bits.
    double uniform() noexcept { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

  private:
    static std::uint64_t rotate(std::uint64_t value, unsigned bits) noexcept { return (value << bits) | (value >> (64U - bits)); }

    std::array<std::uint64_t, 4> state_{};
};

}  // namespace rag::core
