// Losses over few numbers: scores of labels, vectors. Each adds `scale` times its gradient to `gradient` and gives scale times
// the summed loss (natural logarithms, in double). One loss a file. Pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace rag::core {

/// Cross entropy of softmax(scores) with the labels. `scores`: [labels.size(), classes].
double softmax_cross_entropy(std::span<const float> scores, std::span<const std::uint32_t> labels, double scale,
                             std::span<float> gradient);

/// Cross entropy of sigmoid(scores) with targets from 0 to 1, one each (torch's BCEWithLogitsLoss before its mean).
double sigmoid_cross_entropy(std::span<const float> scores, std::span<const float> targets, double scale,
                             std::span<float> gradient);

/// Squared differences (torch's MSELoss before its mean).
double squared_error(std::span<const float> values, std::span<const float> targets, double scale, std::span<float> gradient);

/// Multiple negatives ranking (Henderson et al. 2017, https://arxiv.org/abs/1705.00652) as sentence-transformers computes it:
/// cross entropy of temperature * cosine(query, document) over all documents, document i being right for query i. Vectors need
/// not have length 1. `masked`: [queries, documents], not 0 where a document must not count as wrong; or empty.
struct RankingShape {
    std::size_t queries = 0, documents = 0, width = 0;
};
double ranking_loss(std::span<const float> queries, std::span<const float> documents, const RankingShape& shape,
                    double temperature, std::span<const std::uint8_t> masked, double scale, std::span<float> query_gradient,
                    std::span<float> document_gradient);

}  // namespace rag::core
