// int8 linear layers and tables of decoders: weights symmetric per output channel in the panels of kernels/int8.hpp, inputs in
// sixteen bits. One copy serves a table of vectors, one row and many. Thread rule: immutable; on the model's worker.
#pragma once

#include "libtorch/kernels/int8.hpp"
#include "libtorch/quant/packed_linear.hpp"

namespace rag::core::libtorch {

/// Scratch memory for rows as products of many of them read them (kernels::Int8Planes). Rows may be loaded by several threads.
/// Only where kernels::int8_planes_available().
class Int8Rows {
  public:
    Int8Rows(std::int64_t rows, std::int64_t inputs);
    /// x: [inputs]
    void load_row(const float* x, std::int64_t row);
    /// The first `rows`.
    kernels::Int8Planes view(std::int64_t rows) const;

  private:
    std::int64_t inputs_;
    at::Tensor planes_;
    at::Tensor scales_;
};

class Int8Panels {
  public:
    Int8Panels() = default;
    /// weight: [outputs, inputs] float32 contiguous, quantised as quantize_weight_rows does. kUnsupported for more inputs than
    /// 32-bit sums hold.
    explicit Int8Panels(const at::Tensor& weight);

    std::int64_t outputs() const noexcept { return outputs_; }
    std::int64_t inputs() const noexcept { return inputs_; }
    std::uint64_t size_bytes() const { return bytes_.nbytes() + scale_.nbytes() + sums_.nbytes(); }

    /// Row `output` as float32: [inputs].
    void read_row(std::int64_t output, float* out) const;
    /// out = x * W^T + bias. bias: [outputs] or null. x: [rows, inputs] float32, rows contiguous.
    void multiply(const at::Tensor& x, const float* bias, at::Tensor& out) const;
    /// Outputs [first, last) of a block of rows, on the calling thread: row r at out + r * stride. `first` is a multiple of 16,
    /// and `last` too unless it is outputs().
    void multiply_block(const kernels::Int8Planes& x, const float* bias, std::int64_t first, std::int64_t last, float* out,
                        std::int64_t stride) const;

  private:
    Int8Rows load_rows(const at::Tensor& x) const;
    /// For processors without dot products of four bytes.
    void multiply_widened(const at::Tensor& x, const float* bias, at::Tensor& out) const;
    void multiply_few(const at::Tensor& x, const float* bias, at::Tensor& out) const;
    void multiply_many(const at::Tensor& x, const float* bias, at::Tensor& out) const;
    const std::byte* panel(std::int64_t index) const;

    std::int64_t outputs_ = 0;
    std::int64_t inputs_ = 0;
    at::Tensor bytes_;  // uint8
    at::Tensor scale_;  // [outputs, padded to panels] float32
    at::Tensor sums_;   // likewise int32
};

/// The output layer may share its weights with a table (tied embeddings).
class Int8PanelLinear : public PackedLinear {
  public:
    Int8PanelLinear(std::shared_ptr<const Int8Panels> weight, at::Tensor bias)
        : weight_(std::move(weight)), bias_(std::move(bias)) {}

    void run(const at::Tensor& x, at::Tensor& out) const override {
        weight_->multiply(x, bias_.defined() ? bias_.const_data_ptr<float>() : nullptr, out);
    }
    std::uint64_t size_bytes() const override { return weight_->size_bytes() + (bias_.defined() ? bias_.nbytes() : 0); }
    const Int8PanelLinear* panels() const override { return this; }
    /// As of Int8Panels, with the bias.
    void multiply_block(const kernels::Int8Planes& x, std::int64_t first, std::int64_t last, float* out,
                        std::int64_t stride) const {
        weight_->multiply_block(x, bias_.defined() ? bias_.const_data_ptr<float>() : nullptr, first, last, out, stride);
    }

  private:
    std::shared_ptr<const Int8Panels> weight_;
    at::Tensor bias_;  // [outputs] float32, or undefined
};

}  // namespace rag::core::libtorch
