// Qwen3: Llama's layers with an RMSNorm of every query and key head in the place of Qwen2's biases. Its mixtures of experts have
// the same attention; the configuration says which layers are sparse.
#include "libtorch/arch/arch.hpp"

namespace rag::core::libtorch {

DecoderParts qwen3_parts(const DecoderConfig& config) {
    DecoderParts parts;
    parts.qkv_bias = config.attention_bias;
    parts.output_bias = config.attention_bias;
    parts.head_norms = true;
    return parts;
}

}  // namespace rag::core::libtorch
