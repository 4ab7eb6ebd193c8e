// int8 and bfloat16 linear layers for processors with tiles (kernels/tile_product.hpp): the arithmetic of packed_int8.hpp,
// or rounded inputs and weights with float32 sums. Blocks that compute several layers at once use tiles() themselves.
// Thread rule: immutable; on the model's worker.
#pragma once

#include "libtorch/kernels/tile_product.hpp"
#include "libtorch/quant/packed_linear.hpp"

namespace rag::core::libtorch {

/// Scratch memory for the rows that a product reads.
class TileRows {
  public:
    /// Room for `rows` rows of `inputs` values.
    TileRows(kernels::TileNumbers numbers, std::int64_t rows, std::int64_t inputs);
    /// Rows 0 .. rows - 1 from row i at x + i * stride.
    void load(const float* x, std::int64_t stride, std::int64_t rows);
    void load_row(const float* x, std::int64_t row) { kernels::load_tile_row(numbers_, x, inputs_, row, view_); }
    const kernels::TileRowsIn& view() const { return view_; }

  private:
    kernels::TileNumbers numbers_;
    std::int64_t inputs_;
    at::Tensor bytes_;
    at::Tensor scales_;
    kernels::TileRowsIn view_;
};

class TileLinear : public PackedLinear {
  public:
    /// Whether the processor and the sizes allow it. `weight`: [out, in]; undefined: no.
    static bool serves(Precision precision, bool wide_inputs, const at::Tensor& weight);
    /// weight: [out, in] float32, bias: [out] float32 or undefined.
    TileLinear(Precision precision, const at::Tensor& weight, const at::Tensor& bias);

    void run(const at::Tensor& x, at::Tensor& out) const override;
    std::uint64_t size_bytes() const override;
    const kernels::TileMatrix* tiles() const override { return &matrix_; }

  private:
    at::Tensor tiles_;
    at::Tensor scale_;
    at::Tensor column_sums_;
    at::Tensor bias_;
    kernels::TileMatrix matrix_;
};

}  // namespace rag::core::libtorch
