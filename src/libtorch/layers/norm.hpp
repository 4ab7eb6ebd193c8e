// LayerNorm and RMSNorm over the last dimension. Weights and sums are float32 in every precision: they are small, and rounding
// them costs accuracy in all that follows.
// Thread rule: immutable; on the model's worker.
#pragma once

#include "libtorch/quant/weight_source.hpp"

namespace rag::core::libtorch {

/// The tensors of a norm, for adapters that replace them; a bias that it does not have is undefined.
struct NormTensors {
    std::string module;
    at::Tensor* weight = nullptr;
    at::Tensor* bias = nullptr;  // null: the kind has none
    bool unit_offset = false;    // the file holds the weights less one
};

class LayerNorm {
  public:
    LayerNorm() = default;
    /// Without `bias` the module has none.
    LayerNorm(const WeightSource& source, const std::string& module, std::int64_t columns, float epsilon, bool bias = true);
    /// [rows, columns] -> [rows, columns]
    at::Tensor run(const at::Tensor& x) const;
    /// One row: x = norm(x + add)
    void add_and_run(float* x, const float* add) const;
    std::uint64_t size_bytes() const { return weight_.nbytes() + (bias_.defined() ? bias_.nbytes() : 0); }
    NormTensors tensors() { return {module_, &weight_, &bias_}; }

  private:
    std::string module_;
    at::Tensor weight_;
    at::Tensor bias_;  // or undefined
    float epsilon_ = 0.0F;
};

class RmsNorm {
  public:
    RmsNorm() = default;
    /// `unit_offset`: the file holds the weights less one.
    RmsNorm(const WeightSource& source, const std::string& module, std::int64_t columns, float epsilon, bool unit_offset = false);
    /// x: [rows, columns] contiguous
    at::Tensor run(const at::Tensor& x) const;
    /// One row; `to` may be `from`.
    void run_row(const float* from, float* to) const;
    std::uint64_t size_bytes() const { return weight_.nbytes(); }
    NormTensors tensors() { return {module_, &weight_, nullptr, unit_offset_}; }

  private:
    std::string module_;
    at::Tensor weight_;
    float epsilon_ = 0.0F;
    bool unit_offset_ = false;
};

}  // namespace rag::core::libtorch
