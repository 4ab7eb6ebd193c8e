// What DistilBERT's and MPNet's modules are called, and how MPNet counts distances.
#pragma once

#include "libtorch/arch/post_norm_encoder.hpp"

namespace rag::core::libtorch {

inline constexpr PostNormEncoderNames kDistilBertNames = {
    "embeddings.word_embeddings",
    "embeddings.position_embeddings",
    "",
    "embeddings.LayerNorm",
    "transformer.layer",
    {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm", "ffn.lin1", "ffn.lin2",
     "output_layer_norm"}};

inline constexpr PostNormEncoderNames kMpnetNames = {
    "embeddings.word_embeddings",
    "embeddings.position_embeddings",
    "",
    "embeddings.LayerNorm",
    "encoder.layer",
    {"attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "attention.LayerNorm", "intermediate.dense",
     "output.dense", "output.LayerNorm"}};
inline constexpr const char* kMpnetBias = "encoder.relative_attention_bias.weight";  // [buckets, heads]

/// The row of the table of biases for keys `distance` tokens behind the query (buckets as in T5, Raffel et al. 2020,
/// https://arxiv.org/abs/1910.10683).
std::int64_t mpnet_distance_bucket(std::int64_t distance, std::int64_t buckets);

}  // namespace rag::core::libtorch
