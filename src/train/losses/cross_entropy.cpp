// Cross entropies of softmax and sigmoid.
#include <algorithm>
#include <cmath>

#include "train/losses/losses.hpp"

namespace rag::core {

double softmax_cross_entropy(std::span<const float> scores, std::span<const std::uint32_t> labels, double scale,
                             std::span<float> gradient) {
    if (labels.empty()) return 0.0;
    const std::size_t classes = scores.size() / labels.size();
    double loss = 0.0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const std::span<const float> row = scores.subspan(i * classes, classes);
        const std::span<float> to = gradient.subspan(i * classes, classes);
        const double most = *std::max_element(row.begin(), row.end());
        double sum = 0.0;
        for (const float score : row) sum += std::exp(score - most);
        const double log_sum = most + std::log(sum);
        loss += log_sum - row[labels[i]];
        for (std::size_t j = 0; j < classes; ++j) {
            const double share = std::exp(row[j] - log_sum) - (j == labels[i] ? 1.0 : 0.0);
            to[j] += static_cast<float>(scale * share);
        }
    }
    return scale * loss;
}

double sigmoid_cross_entropy(std::span<const float> scores, std::span<const float> targets, double scale,
                             std::span<float> gradient) {
    double loss = 0.0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        const double x = scores[i];
        // max(x, 0) - x t + log(1 + exp(-|x|)): no overflow on either side.
        loss += std::max(x, 0.0) - x * targets[i] + std::log1p(std::exp(-std::abs(x)));
        gradient[i] += static_cast<float>(scale * (1.0 / (1.0 + std::exp(-x)) - targets[i]));
    }
    return scale * loss;
}

}  // namespace rag::core
