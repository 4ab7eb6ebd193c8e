#include "search/diversity.hpp"

#include <algorithm>

namespace rag::core {

std::vector<Ranked> diversify(const std::vector<Ranked>& ranking, std::size_t k, float diversity, const Similarity& similar) {
    std::vector<Ranked> picks;
    picks.reserve(std::min(k, ranking.size()));
    std::vector<float> nearest(ranking.size(), 0.0F);  // the greatest similarity to a pick so far
    std::vector<bool> taken(ranking.size(), false);
    while (picks.size() < k && picks.size() < ranking.size()) {
        std::size_t best = ranking.size();
        float best_value = 0.0F;
        for (std::size_t i = 0; i < ranking.size(); ++i) {
            if (taken[i]) continue;
            const float value = (1.0F - diversity) * ranking[i].score - diversity * nearest[i];
            if (best == ranking.size() || value > best_value) {
                best = i;
                best_value = value;
            }
        }
        taken[best] = true;
        Ranked pick = ranking[best];
        pick.scale(1.0F - diversity);
        pick.diversity_part = -diversity * nearest[best];
        pick.score = best_value;  // the sum of the parts but for rounding, and in falling order
        picks.push_back(pick);
        if (picks.size() == k) break;
        for (std::size_t i = 0; i < ranking.size(); ++i) {
            if (!taken[i]) nearest[i] = std::max(nearest[i], similar(best, i));
        }
    }
    return picks;
}

}  // namespace rag::core
