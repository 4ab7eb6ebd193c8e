// Mixtral: Mistral's attention, a mixture of experts in every layer under names of its own (w1 is the gate, w3 up, w2 down).
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/decoder_model.hpp"

namespace rag::core::libtorch {

namespace {

DecoderParts mixtral_parts() {
    DecoderParts parts;
    parts.experts = {"block_sparse_moe.gate", "block_sparse_moe.experts.{}.w1", "block_sparse_moe.experts.{}.w3",
                     "block_sparse_moe.experts.{}.w2"};
    return parts;
}

}  // namespace

BackendStatus load_mixtral(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                           std::unique_ptr<BackendDecoder>& out) noexcept {
    return load_decoder_model(config, mixtral_parts(), weights, options, out);
}

}  // namespace rag::core::libtorch
