// The stage of a search in which a CrossEncoder reads the query beside each of the best chunks. What it gives is the score; the
// scorers' parts go. For engine_search.cpp. Thread rule: one thread; the model serves calls one after another.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/search_run.hpp"
#include "search/ranked.hpp"
#include "store/store.hpp"

namespace rag::core {

/// The first `count` of the ranking by the reranker's score, best first; what is behind them is dropped, because it has no score
/// to be compared with. Chunks that the database does not show are left out, and their keys added to `missing`.
std::vector<Ranked> rerank(const SearchRun& run, std::vector<Ranked> ranking, std::size_t count, Store& store,
                           std::vector<std::int64_t>& missing);

}  // namespace rag::core
