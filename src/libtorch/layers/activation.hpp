// The functions between linear layers, in place and in float32 in every precision. The gated product of ModernBERT too.
// Thread rule: pure functions; on the model's worker.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// x = activation(x), element by element.
void apply_activation(Activation activation, at::Tensor& x);

/// x: [rows, input | gate] -> activation(input) * gate, [rows, half].
at::Tensor gated_activation(Activation activation, const at::Tensor& x);

}  // namespace rag::core::libtorch
