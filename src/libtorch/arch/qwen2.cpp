// Qwen2: Llama's layers with biases on q, k and v, always; the upper layers may have a window.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/decoder_model.hpp"

namespace rag::core::libtorch {

namespace {

DecoderParts qwen2_parts() {
    DecoderParts parts;
    parts.qkv_bias = true;
    return parts;
}

}  // namespace

BackendStatus load_qwen2(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendDecoder>& out) noexcept {
    return load_decoder_model(config, qwen2_parts(), weights, options, out);
}

}  // namespace rag::core::libtorch
