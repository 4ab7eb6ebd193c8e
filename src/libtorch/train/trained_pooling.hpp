// Pooling (layers/pooling.hpp) with gradients. Thread rule: on the trainer's worker.
#pragma once

#include "libtorch/train/tape.hpp"

namespace rag::core::libtorch {

/// x: [rows, columns] float32 of the batch's texts -> [texts, modes * columns] float32.
at::Tensor pool_texts(std::span<const Pooling> modes, const TokenBatch& batch, const at::Tensor& x);

}  // namespace rag::core::libtorch
