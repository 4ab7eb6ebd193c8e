// The architectures: one file each, named as GGUF and config.json name them. backend.cpp chooses by name.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// BERT encoders (Devlin et al. 2018, https://arxiv.org/abs/1810.04805).
BackendStatus load_bert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                        std::unique_ptr<BackendEncoder>& out) noexcept;

/// Llama decoders (Touvron et al. 2023, https://arxiv.org/abs/2302.13971), grouped heads included.
BackendStatus load_llama(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendDecoder>& out) noexcept;

}  // namespace rag::core::libtorch
