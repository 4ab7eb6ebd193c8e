// Joining two rankings of the same chunks, by vector and by BM25, into one.
//
// kWeighted (the default): the candidates are the best of both lists, each scored by both scorers; scores become shares of the
// best one and are added with weights. The share counts from 0, the score of what has nothing to do with the query, and not from
// the least candidate, which is still one of the best of all (Bruch, Gai, Ingber, "An Analysis of Fusion Functions for Hybrid
// Retrieval", TOIS 2023: the theoretical minimum). It keeps how much better a chunk is, which ranks forget. docs/searching.md has
// the figures. kReciprocalRank: sum of 1 / (60 + rank) (Cormack, Clarke, Buettcher, SIGIR 2009), for scores that cannot be
// compared. Pure functions of their arguments; ties go to the smaller id.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "search/ranked.hpp"

namespace rag::core {

enum class FusionMethod { kWeighted, kReciprocalRank };

struct FusionOptions {
    FusionMethod method = FusionMethod::kWeighted;
    /// Of the vector's score in [0, 1]; BM25 has the rest. Lower it where the embedder does not know the words of the text.
    float vector_weight = 0.5F;
    float rank_constant = 60.0F;  // of kReciprocalRank
};

struct FusionCandidate {
    std::int64_t id = 0;
    float vector = std::numeric_limits<float>::quiet_NaN();  // NaN: it has no vector, and ranks last there
    float bm25 = 0.0F;                                       // 0: it shares no term with the query
};

/// The k best (or all), best first. An id must not stand twice.
std::vector<Ranked> fuse(const std::vector<FusionCandidate>& candidates, std::size_t k, const FusionOptions& options = {});

}  // namespace rag::core
