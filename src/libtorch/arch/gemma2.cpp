// Gemma 2: embeddings times the root of the hidden size, norms before and behind attention and the feed-forward part, GeGLU,
// every second layer with a window, scores and logits capped by tanh.
#include "libtorch/arch/arch.hpp"

namespace rag::core::libtorch {

DecoderParts gemma2_parts(const DecoderConfig& config) {
    DecoderParts parts;
    parts.qkv_bias = config.attention_bias;
    parts.output_bias = config.attention_bias;
    parts.attention_output_norm = "post_attention_layernorm";
    parts.mlp_norm = "pre_feedforward_layernorm";
    parts.mlp_output_norm = "post_feedforward_layernorm";
    parts.activation = Activation::kGeluTanh;
    parts.embedding_scale = std::sqrt(static_cast<float>(config.hidden_size));
    return parts;
}

}  // namespace rag::core::libtorch
