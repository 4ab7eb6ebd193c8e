#include "evaluate/significance.hpp"

#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kExactPairs = 20;  // 2^20 sign changes take milliseconds

}  // namespace

Significance paired_randomization(std::span<const double> a, std::span<const double> b, std::uint64_t trials,
                                  std::uint64_t seed) {
    if (a.size() != b.size())
        fail(Code::kInvalidArgument, "{} scores stand beside {}: both must be of the same items", a.size(), b.size());
    if (a.empty()) fail(Code::kInvalidArgument, "there are no scores to compare");
    if (trials == 0) fail(Code::kInvalidArgument, "trials is 0, it must be at least 1");
    std::vector<double> differences;
    double sum = 0, scale = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!std::isfinite(a[i]) || !std::isfinite(b[i]))
            fail(Code::kInvalidArgument, "score {} is not finite: {} and {}", i, a[i], b[i]);
        const double difference = b[i] - a[i];
        if (difference == 0) continue;  // its sign does not matter
        differences.push_back(difference);
        sum += difference;
        scale += std::abs(difference);
    }
    Significance result{sum / static_cast<double>(a.size()), 1};
    if (differences.empty()) return result;
    // Sums in another order differ by rounding: what equals the observed sum must count as equal.
    const double bound = std::abs(sum) - 1e-12 * scale;
    std::uint64_t extreme = 0, tried = 0;
    if (differences.size() <= kExactPairs) {
        tried = std::uint64_t{1} << differences.size();
        for (std::uint64_t signs = 0; signs < tried; ++signs) {
            double other = 0;
            for (std::size_t i = 0; i < differences.size(); ++i)
                other += (signs >> i & 1) != 0 ? -differences[i] : differences[i];
            extreme += std::abs(other) >= bound ? 1 : 0;
        }
    } else {
        std::mt19937_64 random(seed);
        tried = trials + 1;
        extreme = 1;
        for (std::uint64_t trial = 0; trial < trials; ++trial) {
            double other = 0;
            std::uint64_t signs = 0;
            for (std::size_t i = 0; i < differences.size(); ++i) {
                if (i % 64 == 0) signs = random();
                other += (signs & 1) != 0 ? -differences[i] : differences[i];
                signs >>= 1;
            }
            extreme += std::abs(other) >= bound ? 1 : 0;
        }
    }
    result.p_value = static_cast<double>(extreme) / static_cast<double>(tried);
    return result;
}

}  // namespace rag::core
