// Operators with gradients of their own on LibTorch's autograd graph: an operator computes its result and leaves a function that
// turns the result's gradient into its inputs' gradients; what a model's tensors get out of it, that function adds to them
// itself (parameter.hpp). Thread rule: on the trainer's worker, outside of inference mode.
#pragma once

#include "libtorch/guard.hpp"
#include "libtorch/train/autograd_pch.hpp"

namespace rag::core::libtorch {

/// Gradients of the inputs, in their order; undefined where one has none.
using Backward = std::function<std::vector<at::Tensor>(const at::Tensor& gradient)>;

/// Whether a result of these inputs has to be recorded.
bool recorded(at::ArrayRef<at::Tensor> inputs);

/// `out`, which was computed from `inputs` without recording, becomes part of the graph where recorded(inputs). `backward` must
/// not hold `out` itself (its graph would hold itself), out.detach() may be held.
at::Tensor record(at::Tensor out, at::ArrayRef<at::Tensor> inputs, Backward backward);

/// The same for an operator with several results: `backward` gets a gradient for each, undefined where there is none.
using BackwardOfMany = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& gradients)>;
void record_many(at::ArrayRef<at::Tensor> outs, at::ArrayRef<at::Tensor> inputs, BackwardOfMany backward);

/// Runs the graph behind `out` with its gradient.
void run_backward(const at::Tensor& out, const at::Tensor& gradient);

/// function(x) whose inner results are computed again for the backward pass instead of being kept (Chen et al. 2016,
/// https://arxiv.org/abs/1604.06174). `function` must give the same again.
at::Tensor recompute(const std::function<at::Tensor(const at::Tensor&)>& function, const at::Tensor& x);

}  // namespace rag::core::libtorch
