// int8 linear layers of encoders: weights symmetric per output channel, activations as unsigned bytes with a scale and a zero
// point for every row, found at run time (LLM.int8 and ZeroQuant call it token-wise dynamic quantisation). The product is
// oneDNN's u8 x s8 (onednn::qlinear_pointwise), which knows one activation scale a tensor, so it is asked for plain sums and the
// rows' scales and zero points come in afterwards:   y[r, c] = scale[r] * (raw[r, c] - zero[r] * column_sum[c]) + bias[c]. Thread
// rule: immutable; on the model's worker.
#pragma once

#include "libtorch/quant/packed_linear.hpp"

namespace rag::core::libtorch {

/// Activations quantised by row: x[r, k] is about scale[r] * (bytes[r, k] - zero[r]).
struct QuantizedRows {
    at::Tensor bytes;  // [rows, columns] uint8
    at::Tensor scale;  // [rows] float32
    at::Tensor zero;   // [rows] float32, whole numbers 0..255

    QuantizedRows(std::int64_t rows, std::int64_t columns);
};

/// x: [rows, columns] float32, rows contiguous.
QuantizedRows quantize_rows(const at::Tensor& x);

class Int8Linear : public PackedLinear {
  public:
    /// weight: [out, in] float32, bias: [out] float32 or undefined.
    Int8Linear(const at::Tensor& weight, const at::Tensor& bias);

    void run(const at::Tensor& x, at::Tensor& out) const override;
    std::uint64_t size_bytes() const override;

  private:
    /// raw sums times the weights' scales: [rows, out] float32
    at::Tensor multiply(const at::Tensor& bytes) const;

    std::int64_t outputs_;
    std::int64_t inputs_;
    at::Tensor packed_;       // oneDNN's layout
    at::Tensor scale_;        // [out] float32
    at::Tensor zero_points_;  // [out] int32, zeros
    at::Tensor column_sums_;  // [out] float32: scale * sum of the row's bytes
    at::Tensor bias_;         // [out] float32
};

/// Symmetric quantisation of each row: bytes in -127..127 and scale = max|row| / 127 (1 for a row of zeros), rounded up to 16
/// bits so that quantising scale * bytes gives the same again.
void quantize_weight_rows(const at::Tensor& weight, at::Tensor& bytes, at::Tensor& scale);

}  // namespace rag::core::libtorch
