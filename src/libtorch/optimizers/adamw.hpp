// AdamW (Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101) over all trained tensors, by LibTorch's fused operator.
// Thread rule: on the trainer's worker.
#pragma once

#include "libtorch/train/parameter.hpp"

namespace rag::core::libtorch {

/// The norm of all gradients together; not finite where one of them is not.
double gradient_norm(const std::vector<ParameterPtr>& parameters);

/// One step; gradients are cleared. Tensors of one dimension do not decay. Parameters without a gradient stay as they are.
void adamw_step(const std::vector<ParameterPtr>& parameters, const OptimizerStep& step, double norm);

}  // namespace rag::core::libtorch
