// Cross entropy over a vocabulary, and the divergence from a teacher's logits (Hinton et al. 2015,
// https://arxiv.org/abs/1503.02531), with their gradient: logits exist for some rows at a time only, because those of a whole
// batch in float32 are most of what training a small model otherwise takes. Thread rule: on the trainer's worker.
#pragma once

#include "libtorch/train/parameter.hpp"

namespace rag::core::libtorch {

/// The output layer: logits = softcap(W h + bias).
struct OutputLayer {
    ParameterPtr weight;  // [vocab, hidden]
    ParameterPtr bias;    // [vocab], or null
    double softcap = 0.0;
};

/// Rows of `hidden` [asked, hidden] should give `targets` (asked ids). `loss` is filled; the result is the gradient of
/// scale * (summed loss) by `hidden`, in float32, and what the output layer gets out of it is added; undefined without `train`.
at::Tensor token_loss(const OutputLayer& output, const at::Tensor& hidden, std::span<const std::int64_t> targets,
                      const TokenTargets& options, double scale, bool train, TokenLoss& loss);

}  // namespace rag::core::libtorch
