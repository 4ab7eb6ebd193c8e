#include "search/fusion.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace rag::core {
namespace {

/// Scores as shares of the best one, from 0 (or from the least, where that is below 0); NaN becomes 0. Where all are equal they
/// are all 1, unless they are `nothing`, which earns nothing.
std::vector<float> stretch(const std::vector<float>& scores, float nothing) {
    float low = 0.0F;
    float high = -std::numeric_limits<float>::infinity();
    for (const float score : scores) {
        if (std::isnan(score)) continue;
        low = std::min(low, score);
        high = std::max(high, score);
    }
    std::vector<float> out(scores.size(), 0.0F);
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (std::isnan(scores[i])) continue;
        if (high > low) {
            out[i] = (scores[i] - low) / (high - low);
        } else {
            out[i] = scores[i] == nothing ? 0.0F : 1.0F;
        }
    }
    return out;
}

/// 1 / (constant + rank), rank from 1; NaN and `nothing` have no rank and get 0.
std::vector<float> reciprocal_ranks(const std::vector<float>& scores, const std::vector<FusionCandidate>& candidates,
                                    float nothing, float constant) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::erase_if(order, [&](std::size_t i) { return std::isnan(scores[i]) || scores[i] == nothing; });
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return scores[a] != scores[b] ? scores[a] > scores[b] : candidates[a].id < candidates[b].id;
    });
    std::vector<float> out(scores.size(), 0.0F);
    for (std::size_t rank = 0; rank < order.size(); ++rank) out[order[rank]] = 1.0F / (constant + static_cast<float>(rank + 1));
    return out;
}

}  // namespace

std::vector<Ranked> fuse(const std::vector<FusionCandidate>& candidates, std::size_t k, const FusionOptions& options) {
    if (!(options.vector_weight >= 0.0F && options.vector_weight <= 1.0F))
        fail(Code::kInvalidArgument, "the vector's weight is {}, it must be between 0 and 1", options.vector_weight);
    std::vector<float> vector_scores;
    std::vector<float> bm25_scores;
    for (const auto& candidate : candidates) {
        vector_scores.push_back(candidate.vector);
        bm25_scores.push_back(candidate.bm25);
    }
    constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
    const bool weighted = options.method == FusionMethod::kWeighted;
    const auto by_vector =
        weighted ? stretch(vector_scores, kNone) : reciprocal_ranks(vector_scores, candidates, kNone, options.rank_constant);
    const auto by_bm25 =
        weighted ? stretch(bm25_scores, 0.0F) : reciprocal_ranks(bm25_scores, candidates, 0.0F, options.rank_constant);
    std::vector<Ranked> fused;
    fused.reserve(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        Ranked hit;
        hit.id = candidates[i].id;
        hit.vector = candidates[i].vector;
        hit.bm25 = candidates[i].bm25;
        hit.vector_part = by_vector[i] * (weighted ? options.vector_weight : 1.0F);
        hit.bm25_part = by_bm25[i] * (weighted ? 1.0F - options.vector_weight : 1.0F);
        hit.add_up();
        fused.push_back(hit);
    }
    const std::size_t keep = std::min(k, fused.size());
    std::partial_sort(fused.begin(), fused.begin() + static_cast<std::ptrdiff_t>(keep), fused.end(),
                      [](const Ranked& a, const Ranked& b) { return better(a, b); });
    fused.resize(keep);
    return fused;
}

}  // namespace rag::core
