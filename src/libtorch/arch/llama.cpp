// Llama: RMSNorm, rotary positions, grouped key and value heads, SwiGLU. Biases only where the configuration says so (no
// published model has them). Mistral is the same with a window in every layer, SmolLM2 exactly the same.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/decoder_model.hpp"

namespace rag::core::libtorch {

namespace {

DecoderParts llama_parts(const DecoderConfig& config) {
    DecoderParts parts;
    parts.qkv_bias = config.attention_bias;
    parts.output_bias = config.attention_bias;
    return parts;
}

}  // namespace

BackendStatus load_llama(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendDecoder>& out) noexcept {
    return load_decoder_model(config, llama_parts(config), weights, options, out);
}

}  // namespace rag::core::libtorch
