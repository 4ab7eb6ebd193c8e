// Vectors for the tests of the index: seeded, so that every run is the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace rag::test {

/// [count, dimension] normal deviates.
inline std::vector<float> random_vectors(std::size_t count, std::size_t dimension, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> out(count * dimension);
    for (float& value : out) value = normal(random);
    return out;
}

/// Vectors around `centres` random centres, as embeddings of text lie: neighbours are near, clusters far.
inline std::vector<float> clustered_vectors(std::size_t count, std::size_t dimension, std::size_t centres, std::uint64_t seed) {
    const auto middle = random_vectors(centres, dimension, seed);
    auto out = random_vectors(count, dimension, seed + 1);
    std::mt19937_64 random(seed + 2);
    for (std::size_t row = 0; row < count; ++row) {
        const std::size_t centre = random() % centres;
        for (std::size_t i = 0; i < dimension; ++i) {
            out[row * dimension + i] = middle[centre * dimension + i] + 0.5F * out[row * dimension + i];
        }
    }
    return out;
}

inline std::vector<std::int64_t> consecutive_ids(std::size_t count, std::int64_t first = 0) {
    std::vector<std::int64_t> out(count);
    std::iota(out.begin(), out.end(), first);
    return out;
}

inline std::span<const float> row_of(const std::vector<float>& vectors, std::size_t dimension, std::size_t row) {
    return std::span(vectors).subspan(row * dimension, dimension);
}

}  // namespace rag::test
