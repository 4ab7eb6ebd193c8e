// Which examples make a step, in which order: shuffled, sorted by length within windows so that batches of a token budget are
// filled evenly, batches shuffled again; or as they are. A pure function of (lengths, limits, seed, epoch): a run that resumes
// needs nothing but numbers to find its place.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rag::core {

/// Of one batch; at least one of both is not 0.
struct BatchLimit {
    std::uint64_t examples = 0;  // 0: any number
    std::uint64_t tokens = 0;    // 0: any number; an example that is longer alone is a batch of its own
};

using Batches = std::vector<std::vector<std::uint32_t>>;

/// `lengths`: tokens of each example, at most 2^32 - 1 examples. Every example is in exactly one batch.
Batches order_batches(std::span<const std::uint32_t> lengths, const BatchLimit& limit, std::uint64_t seed, std::uint64_t epoch);

/// In the order of the data, which every epoch then has. Every example is in exactly one batch.
Batches keep_order(std::span<const std::uint32_t> lengths, const BatchLimit& limit);

/// `items` (places in `lengths`) cut, in their order, into runs of at most `tokens` tokens; a longer item is a run of its own.
std::vector<std::span<const std::uint32_t>> cut_by_tokens(std::span<const std::uint32_t> items,
                                                          std::span<const std::uint32_t> lengths, std::uint64_t tokens);

}  // namespace rag::core
