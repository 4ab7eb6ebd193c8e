// Multiple negatives ranking over cosines. Sums over documents are written so that the inner loop runs over neighbours in memory.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "train/losses/losses.hpp"

namespace rag::core {
namespace {

/// Rows of length 1, and what each was divided by.
struct UnitRows {
    std::vector<float> values;
    std::vector<double> lengths;
};

UnitRows unit_rows(std::span<const float> rows, std::size_t count, std::size_t width) {
    UnitRows unit{std::vector<float>(rows.size()), std::vector<double>(count)};
    for (std::size_t i = 0; i < count; ++i) {
        double sum = 0.0;
        for (std::size_t k = 0; k < width; ++k) sum += static_cast<double>(rows[i * width + k]) * rows[i * width + k];
        unit.lengths[i] = std::max(std::sqrt(sum), 1e-12);  // as torch.nn.functional.normalize
        for (std::size_t k = 0; k < width; ++k)
            unit.values[i * width + k] = static_cast<float>(rows[i * width + k] / unit.lengths[i]);
    }
    return unit;
}

/// From the gradient by the rows of length 1 to that by the rows as they were: what points along a row has no effect.
void add_through_length(const UnitRows& unit, std::span<const float> by_unit, std::size_t width, std::span<float> gradient) {
    for (std::size_t i = 0; i < unit.lengths.size(); ++i) {
        const float* row = &unit.values[i * width];
        const float* from = &by_unit[i * width];
        double along = 0.0;
        for (std::size_t k = 0; k < width; ++k) along += static_cast<double>(row[k]) * from[k];
        for (std::size_t k = 0; k < width; ++k)
            gradient[i * width + k] += static_cast<float>((from[k] - along * row[k]) / unit.lengths[i]);
    }
}

}  // namespace

double ranking_loss(std::span<const float> queries, std::span<const float> documents, const RankingShape& shape,
                    double temperature, std::span<const std::uint8_t> masked, double scale, std::span<float> query_gradient,
                    std::span<float> document_gradient) {
    const auto [count, candidates, width] = shape;
    const UnitRows query = unit_rows(queries, count, width);
    const UnitRows document = unit_rows(documents, candidates, width);
    std::vector<float> columns(document.values.size());  // [width, documents]
    for (std::size_t j = 0; j < candidates; ++j)
        for (std::size_t k = 0; k < width; ++k) columns[k * candidates + j] = document.values[j * width + k];
    std::vector<float> by_query(queries.size()), by_document(documents.size()), scores(candidates);
    double loss = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
        std::fill(scores.begin(), scores.end(), 0.0F);
        for (std::size_t k = 0; k < width; ++k) {
            const float factor = query.values[i * width + k];
            const float* column = &columns[k * candidates];
            for (std::size_t j = 0; j < candidates; ++j) scores[j] += factor * column[j];
        }
        const auto hidden = [&](std::size_t j) { return !masked.empty() && j != i && masked[i * candidates + j] != 0; };
        double most = -std::numeric_limits<double>::infinity(), sum = 0.0;
        for (std::size_t j = 0; j < candidates; ++j) {
            if (!hidden(j)) most = std::max(most, temperature * scores[j]);
        }
        for (std::size_t j = 0; j < candidates; ++j) {
            if (!hidden(j)) sum += std::exp(temperature * scores[j] - most);
        }
        const double log_sum = most + std::log(sum);
        loss += log_sum - temperature * scores[i];
        for (std::size_t j = 0; j < candidates; ++j) {
            if (hidden(j)) continue;
            const double share = std::exp(temperature * scores[j] - log_sum) - (j == i ? 1.0 : 0.0);
            const auto factor = static_cast<float>(scale * temperature * share);
            for (std::size_t k = 0; k < width; ++k) {
                by_query[i * width + k] += factor * document.values[j * width + k];
                by_document[j * width + k] += factor * query.values[i * width + k];
            }
        }
    }
    add_through_length(query, by_query, width, query_gradient);
    add_through_length(document, by_document, width, document_gradient);
    return scale * loss;
}

}  // namespace rag::core
