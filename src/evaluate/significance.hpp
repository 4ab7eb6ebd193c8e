// Is a difference between two systems more than chance? Fisher's randomisation test over paired scores (Smucker, Allan and
// Carterette, CIKM 2007): if both systems were the same, each pair could as well have come the other way round. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>

namespace rag::core {

struct Significance {
    double difference = 0;  // mean of b minus mean of a
    double p_value = 1;     // two-sided: how often chance alone makes a difference at least as large
};

/// Scores of the same items by system a and b. Exact over all sign changes up to 20 pairs that differ, else `trials` random
/// ones from `seed` (the observed one counts among them, so p is never 0). kInvalidArgument: lengths that differ, no item, a
/// score that is not finite, no trial.
Significance paired_randomization(std::span<const double> a, std::span<const double> b, std::uint64_t trials, std::uint64_t seed);

}  // namespace rag::core
