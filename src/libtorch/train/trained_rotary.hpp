// Rotary positions (layers/rotary.hpp) of packed texts, with gradients. Thread rule: on the trainer's worker.
#pragma once

#include "libtorch/layers/rotary.hpp"
#include "libtorch/train/tape.hpp"

namespace rag::core::libtorch {

class TrainedRotary {
  public:
    /// Every text begins at position 0.
    TrainedRotary(const RotaryConfig& config, std::span<const std::int64_t> offsets);

    /// [rows, heads * head_dim] -> the same shape and type, turned in float32.
    at::Tensor turn(const at::Tensor& x, std::int64_t heads) const;

  private:
    at::Tensor cosines_;  // [rows, half] float32
    at::Tensor sines_;
};

}  // namespace rag::core::libtorch
