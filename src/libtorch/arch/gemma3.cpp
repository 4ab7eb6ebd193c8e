// Gemma 3's language model: Gemma 2's layers without caps, with an RMSNorm of every query and key head; five layers with a window
// and rotary positions of their own for one that sees everything.
#include "libtorch/arch/arch.hpp"

namespace rag::core::libtorch {

DecoderParts gemma3_parts(const DecoderConfig& config) {
    DecoderParts parts;
    parts.qkv_bias = config.attention_bias;
    parts.output_bias = config.attention_bias;
    parts.head_norms = true;
    parts.attention_output_norm = "post_attention_layernorm";
    parts.mlp_norm = "pre_feedforward_layernorm";
    parts.mlp_output_norm = "post_feedforward_layernorm";
    parts.activation = Activation::kGeluTanh;
    parts.embedding_scale = std::sqrt(static_cast<float>(config.hidden_size));
    return parts;
}

}  // namespace rag::core::libtorch
