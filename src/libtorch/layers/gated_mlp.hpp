// The feed-forward part of a decoder layer: down(activation(gate(x)) * up(x)), SwiGLU or GeGLU (Shazeer 2020,
// https://arxiv.org/abs/2002.05202). gate and up are packed as one product. In and out: [rows, hidden] float32.
// Thread rule: run() on the model's worker.
#pragma once

#include "libtorch/layers/linear.hpp"

namespace rag::core::libtorch {

/// Full module names of the three matrices.
struct GatedMlpNames {
    std::string gate;
    std::string up;
    std::string down;
};

class GatedMlp {
  public:
    GatedMlp() = default;
    GatedMlp(const std::shared_ptr<const WeightSource>& source, const GatedMlpNames& names, std::int64_t hidden,
             std::int64_t size, bool bias, Activation activation, const PrecisionPlan& plan);

    /// `apply` computes a Linear; whoever computes with adapters that are not merged puts their part in.
    template <typename Apply>
    at::Tensor run(const at::Tensor& x, Apply&& apply) const {
        return apply(down_, multiply_gate(apply(gate_up_, x)));
    }

    std::array<Linear*, 2> linears() { return {&gate_up_, &down_}; }
    std::uint64_t size_bytes() const { return gate_up_.packed().size_bytes() + down_.packed().size_bytes(); }

  private:
    // [rows, gate | up] -> activation(gate) * up, [rows, size]
    at::Tensor multiply_gate(const at::Tensor& gate_up) const;

    Activation activation_ = Activation::kSilu;
    Linear gate_up_;
    Linear down_;
};

}  // namespace rag::core::libtorch
