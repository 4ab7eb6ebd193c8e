// BackendTrainer over LibTorch's autograd. Thread rule: one caller at a time; computes on a worker of its own.
#pragma once

#include "libtorch/guard.hpp"
#include "model/backend_training.hpp"

namespace rag::core::libtorch {

BackendStatus load_encoder_trainer(const EncoderConfig& config, const Weights& weights, const TrainerOptions& options,
                                   std::unique_ptr<BackendTrainer>& out) noexcept;
BackendStatus load_decoder_trainer(const DecoderConfig& config, const Weights& weights, const TrainerOptions& options,
                                   std::unique_ptr<BackendTrainer>& out) noexcept;

}  // namespace rag::core::libtorch
