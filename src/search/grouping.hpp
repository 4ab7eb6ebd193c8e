// A ranking of chunks grouped by document: documents in the order of their best chunk, each with its best few. Pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "search/ranked.hpp"

namespace rag::core {

/// `documents`: of the chunks of `ranking`, in its order. Documents [offset, offset + k) of the grouped ranking, with at most
/// `most_hits` chunks each, which stand together. `groups` is how many documents the ranking has in all.
std::vector<Ranked> group_by_document(const std::vector<Ranked>& ranking, std::span<const std::int64_t> documents,
                                      std::size_t offset, std::size_t k, std::size_t most_hits, std::size_t& groups);

}  // namespace rag::core
