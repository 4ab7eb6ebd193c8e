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

/// Rotary positions of ModernBERT's layers with this theta; frequencies in float32, as transformers computes them.
RotaryConfig modernbert_rotary(const EncoderConfig& config, double theta);

/// Decoders: each architecture's file says what its layers consist of; decoder_model.cpp runs them, train/ trains them.
using DescribeDecoder = DecoderParts (*)(const DecoderConfig& config);

/// Llama (https://arxiv.org/abs/2307.09288, https://arxiv.org/abs/2407.21783) and Mistral (https://arxiv.org/abs/2310.06825),
/// which is the same with a window.
DecoderParts llama_parts(const DecoderConfig& config);
/// Qwen2 and Qwen2.5 (https://arxiv.org/abs/2407.10671).
DecoderParts qwen2_parts(const DecoderConfig& config);
/// Qwen3 and its mixtures of experts (https://arxiv.org/abs/2505.09388).
DecoderParts qwen3_parts(const DecoderConfig& config);
/// Gemma 2 (https://arxiv.org/abs/2408.00118).
DecoderParts gemma2_parts(const DecoderConfig& config);
/// Gemma 3's language model (https://arxiv.org/abs/2503.19786).
DecoderParts gemma3_parts(const DecoderConfig& config);
/// Mixtral (https://arxiv.org/abs/2401.04088).
DecoderParts mixtral_parts(const DecoderConfig& config);

/// By name, as DecoderConfig::architecture.
inline constexpr std::array<std::pair<std::string_view, DescribeDecoder>, 8> kDecoders = {{{"gemma2", gemma2_parts},
                                                                                           {"gemma3_text", gemma3_parts},
                                                                                           {"llama", llama_parts},
                                                                                           {"mistral", llama_parts},
                                                                                           {"mixtral", mixtral_parts},
                                                                                           {"qwen2", qwen2_parts},
                                                                                           {"qwen3", qwen3_parts},
                                                                                           {"qwen3_moe", qwen3_parts}}};

}  // namespace rag::core::libtorch
