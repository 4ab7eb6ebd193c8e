// The feed-forward part of a decoder layer: down(activation(gate(x)) * up(x)), SwiGLU or GeGLU (Shazeer 2020,
// https://arxiv.org/abs/2002.05202). gate and up are packed as one product. In and out: [rows, hidden] float32.
// Thread rule: run() on the model's worker.
#pragma once

#include "libtorch/layers/row_blocks.hpp"

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

    /// What one thread needs to compute blocks of rows (row_blocks.hpp).
    class Block {
      public:
        /// mlp.in_blocks(); `rows`: at most in a block
        Block(const GatedMlp& mlp, std::int64_t rows);
        void load_row(const float* x, std::int64_t row) { input_.load_row(x, row); }
        /// Of the first `rows` rows: row r at out + r * stride.
        void run(std::int64_t rows, float* out, std::int64_t stride);

      private:
        const GatedMlp& mlp_;
        std::int64_t size_;
        std::int64_t strip_;  // columns of gate and up that are multiplied together
        BlockProduct input_;
        BlockProduct inner_;
        at::Tensor gate_up_;  // [rows, 2 * strip]
        at::Tensor product_;  // [rows, size]
    };
    bool in_blocks() const { return libtorch::in_blocks(gate_up_) && libtorch::in_blocks(down_); }

    std::array<Linear*, 2> linears() { return {&gate_up_, &down_}; }
    std::array<const Linear*, 2> linears() const { return {&gate_up_, &down_}; }
    std::uint64_t size_bytes() const { return gate_up_.packed().size_bytes() + down_.packed().size_bytes(); }

  private:
    void multiply_gate_row(const float* gate, const float* up, std::int64_t columns, float* out) const;
    // [rows, gate | up] -> activation(gate) * up, [rows, size]
    at::Tensor multiply_gate(const at::Tensor& gate_up) const;

    Activation activation_ = Activation::kSilu;
    Linear gate_up_;
    Linear down_;
};

}  // namespace rag::core::libtorch
