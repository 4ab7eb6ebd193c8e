// What BertModel's and RobertaModel's modules are called.
#pragma once

#include "libtorch/arch/post_norm_encoder.hpp"

namespace rag::core::libtorch {

inline constexpr PostNormEncoderNames kBertNames = {
    "embeddings.word_embeddings",
    "embeddings.position_embeddings",
    "embeddings.token_type_embeddings",
    "embeddings.LayerNorm",
    "encoder.layer",
    {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "attention.output.LayerNorm",
     "intermediate.dense", "output.dense", "output.LayerNorm"}};

/// Linear layers of BertModel and RobertaModel without effect on the vectors of tokens: the head for next-sentence prediction.
/// Where a classifier stands on it, it is one of the configuration's stages.
inline std::span<const std::string_view> bert_unused_modules(const EncoderConfig& config) {
    static constexpr std::string_view kUnused[] = {"pooler.dense"};
    return config.stages.empty() ? std::span<const std::string_view>(kUnused) : std::span<const std::string_view>();
}

}  // namespace rag::core::libtorch
