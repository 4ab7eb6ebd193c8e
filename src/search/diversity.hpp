// Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): from a ranking, one after another, the chunk that is relevant
// and least like those taken before. Pure function; its slow twin in the tests computes every maximum anew.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "search/ranked.hpp"

namespace rag::core {

/// Of two positions in the ranking, [0, 1] or at least at most 1.
using Similarity = std::function<float(std::size_t a, std::size_t b)>;

/// The first `k` picks (or all) of `ranking`, best first. A pick's score is (1 - diversity) times what it had, less diversity
/// times its greatest similarity to an earlier pick; so scores only fall. `diversity` in [0, 1]; equal scores go to the earlier
/// position. Calls `similar` at most k times the ranking's length.
std::vector<Ranked> diversify(const std::vector<Ranked>& ranking, std::size_t k, float diversity, const Similarity& similar);

}  // namespace rag::core
