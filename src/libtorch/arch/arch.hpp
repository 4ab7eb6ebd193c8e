// The architectures: one file each, named as GGUF and config.json name them; docs/adding-an-architecture.md shows how to add one.
// backend.cpp chooses by name.
#pragma once

#include "libtorch/arch/decoder_body.hpp"
#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// BERT encoders (Devlin et al. 2018, https://arxiv.org/abs/1810.04805).
BackendStatus load_bert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                        std::unique_ptr<BackendEncoder>& out) noexcept;

/// RoBERTa and XLM-RoBERTa encoders.
BackendStatus load_roberta(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                           std::unique_ptr<BackendEncoder>& out) noexcept;
/// DistilBERT encoders.
BackendStatus load_distilbert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                              std::unique_ptr<BackendEncoder>& out) noexcept;
/// MPNet encoders.
BackendStatus load_mpnet(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendEncoder>& out) noexcept;
/// ModernBERT encoders.
BackendStatus load_modernbert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                              std::unique_ptr<BackendEncoder>& out) noexcept;

/// Decoders: each architecture's file describes its layers, decoder_model.cpp runs them.
using LoadDecoder = BackendStatus (*)(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                                      std::unique_ptr<BackendDecoder>& out) noexcept;

/// Llama (https://arxiv.org/abs/2307.09288, https://arxiv.org/abs/2407.21783) and Mistral (https://arxiv.org/abs/2310.06825),
/// which is the same with a window.
BackendStatus load_llama(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendDecoder>& out) noexcept;
/// Qwen2 and Qwen2.5 (https://arxiv.org/abs/2407.10671).
BackendStatus load_qwen2(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendDecoder>& out) noexcept;
/// Qwen3 and its mixtures of experts (https://arxiv.org/abs/2505.09388).
BackendStatus load_qwen3(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendDecoder>& out) noexcept;
/// Gemma 2 (https://arxiv.org/abs/2408.00118).
BackendStatus load_gemma2(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                          std::unique_ptr<BackendDecoder>& out) noexcept;
/// Gemma 3's language model (https://arxiv.org/abs/2503.19786).
BackendStatus load_gemma3(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                          std::unique_ptr<BackendDecoder>& out) noexcept;
/// Mixtral (https://arxiv.org/abs/2401.04088).
BackendStatus load_mixtral(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                           std::unique_ptr<BackendDecoder>& out) noexcept;

/// The parts of an architecture's layers, for models that use its hidden states for something else than logits.
DecoderParts qwen3_parts(const DecoderConfig& config);

}  // namespace rag::core::libtorch
