// What a query may ask for, which scorers take part, and how deep they look. For engine_search.cpp. Thread rule: plain functions.
#pragma once

#include <cstddef>

#include "engine/engine.hpp"

namespace rag::core {

/// Candidates at most where each pick is compared with every one.
inline constexpr std::size_t kMaxDiverse = 1000;

/// kInvalidArgument names what is wrong and its value.
void check_query(const Query& query);
/// `dimension` 0: nothing stored has a vector. kInvalidState: a search by vector without one.
SearchMode decide_mode(const Query& query, bool embeds, std::size_t dimension);
/// How many candidates each scorer gives.
std::size_t depth_of(const Query& query, SearchMode mode);

}  // namespace rag::core
