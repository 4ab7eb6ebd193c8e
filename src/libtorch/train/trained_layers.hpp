// The layers of models with gradients: linear layers with LoRA pairs and int8 rounding, norms, tables, dropout, activations.
// Sums, norms and what lies between layers are float32; products are in the type of the ParameterSet.
// In: packed rows of several texts, [rows, columns]. Thread rule: on the trainer's worker.
#pragma once

#include "libtorch/train/parameter.hpp"

namespace rag::core::libtorch {

/// Random zeros (Srivastava et al. 2014). The same seed and the same calls drop the same; a copy counts its calls on from where
/// the original stands, so that a layer which may run twice takes a copy of one that is never used itself.
class Dropout {
  public:
    /// share 0: nothing is dropped.
    Dropout(double share, std::uint64_t seed) : share_(share), seed_(seed) {}
    /// With its gradient.
    at::Tensor run(const at::Tensor& x) const;

    /// What one call does to numbers, and to their gradients; nothing where there is nothing to drop.
    using Draw = std::function<at::Tensor(const at::Tensor& x)>;
    Draw draw() const;

  private:
    double share_;
    std::uint64_t seed_;
    mutable std::uint64_t calls_ = 0;
};

class TrainedLinear {
  public:
    TrainedLinear() = default;
    /// `interleaved_heads` as in LinearPart.
    TrainedLinear(ParameterSet& set, const std::string& module, std::int64_t outputs, std::int64_t inputs, bool bias,
                  std::int64_t interleaved_heads = 0);

    /// [rows, inputs] -> [rows, outputs], in the products' type. `dropout`: of a pair's inputs.
    at::Tensor run(const at::Tensor& x, const Dropout& dropout) const;

  private:
    struct State;
    std::shared_ptr<const State> state_;
};

/// A sum and what a norm makes of it.
struct Normed {
    at::Tensor sum;  // float32
    at::Tensor out;  // in the type asked for
};

class TrainedLayerNorm {
  public:
    TrainedLayerNorm() = default;
    TrainedLayerNorm(ParameterSet& set, const std::string& module, std::int64_t columns, float epsilon, bool bias = true);
    /// float32 -> float32
    at::Tensor run(const at::Tensor& x) const { return run(x, at::Tensor(), at::kFloat).sum; }
    /// The norm of x (float32) + added (of `type`, may be undefined): `sum` is the norm in float32 here, `out` the same in
    /// `type`.
    Normed run(const at::Tensor& x, const at::Tensor& added, at::ScalarType type) const;

  private:
    ParameterPtr weight_;
    ParameterPtr bias_;
    float epsilon_ = 0.0F;
};

class TrainedRmsNorm {
  public:
    TrainedRmsNorm() = default;
    /// `unit_offset`: the file holds the weights less one.
    TrainedRmsNorm(ParameterSet& set, const std::string& module, std::int64_t columns, float epsilon, bool unit_offset);
    /// float32 [.., columns] -> `type`
    at::Tensor run(const at::Tensor& x, at::ScalarType type) const { return run(x, at::Tensor(), type).out; }
    /// x (float32) + added (of `type`) and its norm in `type`.
    Normed run(const at::Tensor& x, const at::Tensor& added, at::ScalarType type) const;

  private:
    ParameterPtr weight_;
    float epsilon_ = 0.0F;
    float offset_ = 0.0F;
};

/// act(gate) * up; SiLU and the tanh form of GELU in one pass.
at::Tensor gated(Activation activation, const at::Tensor& gate, const at::Tensor& up);

/// x (float32) + added (any type) in float32.
at::Tensor add_rows(const at::Tensor& x, const at::Tensor& added);

/// Rows of a table as float32. `indices`: [rows] int64. With `anchor`, an undifferentiated scalar that requires a gradient,
/// the result is part of the graph even though no input is. `rounded`: to int8 by row, gradients pass.
at::Tensor look_up(const ParameterPtr& table, const at::Tensor& indices, const at::Tensor& anchor, bool rounded = false);

at::Tensor activate(Activation activation, const at::Tensor& x);

/// Int64 copies.
at::Tensor index_tensor(std::span<const std::int32_t> values);
at::Tensor index_tensor(std::span<const std::int64_t> values);

}  // namespace rag::core::libtorch
