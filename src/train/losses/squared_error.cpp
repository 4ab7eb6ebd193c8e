// Squared differences.
#include "train/losses/losses.hpp"

namespace rag::core {

double squared_error(std::span<const float> values, std::span<const float> targets, double scale, std::span<float> gradient) {
    double loss = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double difference = static_cast<double>(values[i]) - static_cast<double>(targets[i]);
        loss += difference * difference;
        gradient[i] += static_cast<float>(scale * 2.0 * difference);
    }
    return scale * loss;
}

}  // namespace rag::core
