// Llama: RMSNorm, rotary positions, grouped key and value heads, SwiGLU. Biases only where the configuration says so (no
// published model has them). Mistral is the same with a window in every layer, SmolLM2 exactly the same.
#include "libtorch/arch/arch.hpp"

namespace rag::core::libtorch {

DecoderParts llama_parts(const DecoderConfig& config) {
    DecoderParts parts;
    parts.qkv_bias = config.attention_bias;
    parts.output_bias = config.attention_bias;
    return parts;
}

}  // namespace rag::core::libtorch
