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
    at::Tensor run(const at::Tensor& x) const;
    /// What x is multiplied by; undefined where nothing is dropped.
    at::Tensor mask(const at::Tensor& x) const;

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

class TrainedLayerNorm {
  public:
    TrainedLayerNorm() = default;
    TrainedLayerNorm(ParameterSet& set, const std::string& module, std::int64_t columns, float epsilon, bool bias = true);
    /// float32 -> float32
    at::Tensor run(const at::Tensor& x) const;

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
    /// float32 [.., columns] -> float32
    at::Tensor run(const at::Tensor& x) const;

  private:
    ParameterPtr weight_;
    float epsilon_ = 0.0F;
    float offset_ = 0.0F;
};

/// Rows of a table as float32. `indices`: [rows] int64. With `anchor`, an undifferentiated scalar that requires a gradient,
/// the result is part of the graph even though no input is. `rounded`: to int8 by row, gradients pass.
at::Tensor look_up(const ParameterPtr& table, const at::Tensor& indices, const at::Tensor& anchor, bool rounded = false);

at::Tensor activate(Activation activation, const at::Tensor& x);

/// Int64 copies.
at::Tensor index_tensor(std::span<const std::int32_t> values);
at::Tensor index_tensor(std::span<const std::int64_t> values);

}  // namespace rag::core::libtorch
