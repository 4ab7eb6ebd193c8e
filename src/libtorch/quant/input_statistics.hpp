// What a text sample says about the inputs of a linear layer: the sum of x^T x over all rows. Calibrated rounding (GPTQ) makes
// good the error of one weight by the weights whose inputs go together with it. Thread rule: on the model's worker.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

class InputStatistics {
  public:
    /// x: [rows, inputs] float32.
    void add(const at::Tensor& x);
    std::int64_t rows() const noexcept { return rows_; }

    /// For kernels::compensate_int4: the upper Cholesky factor of the inverse of the damped second moments, [inputs, inputs]
    /// float32 contiguous. Undefined when no row came, or when all were 0 or not finite.
    at::Tensor factor() const;
    /// Second moments of the inputs, [inputs] float32: the weights of squared errors.
    at::Tensor importance() const;

  private:
    at::Tensor sum_;  // [inputs, inputs] float32
    std::int64_t rows_ = 0;
};

}  // namespace rag::core::libtorch
