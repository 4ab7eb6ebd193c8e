// The first half of alignment.hpp: which word of the evidence stands for which word of the claim. Repeated Smith-Waterman: the
// best local alignment first, then the stretches of the claim that are left, each against the words that are still free.
#pragma once

#include <cstddef>
#include <vector>

#include "generate/alignment.hpp"

namespace rag::core::grounding {

inline constexpr std::size_t kUnmatched = static_cast<std::size_t>(-1);

/// For every content item of the claim, in order: its index in claim.items, and the index in evidence.items that it is matched
/// with.
struct Matching {
    std::vector<std::size_t> claim;
    std::vector<std::size_t> evidence;  // kUnmatched: none
};

bool same_item(const Item& claim, const Item& evidence);

Matching match_items(const Statement& claim, const Statement& evidence, const ItemWeight& weight);

}  // namespace rag::core::grounding
