// A chunk in a ranking and the parts of its score: what scorers, fusion, links and diversity pass to one another.
#pragma once

#include <cstdint>
#include <limits>

namespace rag::core {

struct Ranked {
    std::int64_t id = 0;
    float score = 0.0F;                                      // the sum of the parts
    float vector = std::numeric_limits<float>::quiet_NaN();  // the scorers' own scores; NaN: had no part
    float bm25 = std::numeric_limits<float>::quiet_NaN();
    float reranker = std::numeric_limits<float>::quiet_NaN();
    float vector_part = 0.0F;
    float bm25_part = 0.0F;
    float links_part = 0.0F;
    float reranker_part = 0.0F;
    float diversity_part = 0.0F;  // 0 or less

    void add_up() noexcept { score = vector_part + bm25_part + links_part + reranker_part + diversity_part; }
    void scale(float factor) noexcept {
        vector_part *= factor;
        bm25_part *= factor;
        links_part *= factor;
        reranker_part *= factor;
        add_up();
    }
    /// A reranker's score takes the place of what the scorers and links gave.
    void set_reranked(float value) noexcept {
        reranker = value;
        vector_part = 0.0F;
        bm25_part = 0.0F;
        links_part = 0.0F;
        reranker_part = value;
        add_up();
    }
    /// Higher scores first, equal ones by id.
    friend bool better(const Ranked& a, const Ranked& b) noexcept { return a.score != b.score ? a.score > b.score : a.id < b.id; }
};

}  // namespace rag::core
