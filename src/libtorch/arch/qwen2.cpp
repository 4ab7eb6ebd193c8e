// Qwen2: Llama's layers with biases on q, k and v, always; the upper layers may have a window.
#include "libtorch/arch/arch.hpp"

namespace rag::core::libtorch {

DecoderParts qwen2_parts(const DecoderConfig&) {
    DecoderParts parts;
    parts.qkv_bias = true;
    return parts;
}

}  // namespace rag::core::libtorch
