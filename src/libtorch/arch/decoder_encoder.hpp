// Decoders as encoders (Qwen3-Embedding, Qwen3-Reranker: https://arxiv.org/abs/2506.05176): loads the model.
#pragma once

#include "libtorch/arch/decoder_body.hpp"
#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// `config.decoder` is there; `parts`: what its layers consist of.
BackendStatus load_decoder_encoder(const EncoderConfig& config, const DecoderParts& parts, const Weights& weights,
                                   const BackendOptions& options, std::unique_ptr<BackendEncoder>& out) noexcept;

}  // namespace rag::core::libtorch
