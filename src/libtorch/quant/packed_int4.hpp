// int4 linear layers and tables: weights in groups of 32 with a scale and a minimum (kernels/int4.hpp), in the layout that lies
// on disk too. A few rows of inputs are multiplied in packed form, with the inputs in 16 bits; for many rows, blocks of the
// weights are unpacked to bfloat16 just before their product, which for long inputs costs little beside it. Thread rule:
// immutable; on the model's worker.
#pragma once

#include "libtorch/quant/packed_linear.hpp"

namespace rag::core::libtorch {

class Int4Matrix {
  public:
    Int4Matrix() = default;
    /// `bytes`: uint8, kernels::int4_bytes(outputs, inputs) of them.
    Int4Matrix(at::Tensor bytes, std::int64_t outputs, std::int64_t inputs);

    /// Each group rounded to the nearest codes of the best scale and minimum. weight: [outputs, inputs] float32 contiguous.
    /// `importance`: [inputs] float32, weights of the squared errors, or undefined. kCorrupt for values that half precision does
    /// not hold.
    static Int4Matrix round(const at::Tensor& weight, const at::Tensor& importance);

    /// Weights in librag's own layout (ElementType::kInt4): a view of the mapped file. The view was checked.
    static Int4Matrix from_view(const TensorView& view, const std::shared_ptr<const void>& owner);
    /// Weights that lie in GGUF's blocks of Q4_0 or Q4_1, every value as it is. `interleaved_heads` as in LinearPart.
    static Int4Matrix from_blocks(const TensorView& blocks, std::int64_t interleaved_heads);

    std::int64_t outputs() const noexcept { return outputs_; }
    std::int64_t inputs() const noexcept { return inputs_; }
    const at::Tensor& bytes() const noexcept { return bytes_; }
    std::uint64_t size_bytes() const { return bytes_.nbytes(); }
    const std::byte* panel(std::int64_t index) const;

    /// Row `output` as float32: [inputs].
    void read_row(std::int64_t output, float* out) const;
    /// All rows as float32: [outputs, inputs].
    at::Tensor to_float() const;

  private:
    at::Tensor bytes_;
    std::int64_t outputs_ = 0;
    std::int64_t inputs_ = 0;
};

class Int4Linear : public PackedLinear {
  public:
    struct Part {
        Int4Matrix weight;
        at::Tensor bias;  // [outputs] float32, or undefined
    };
    /// Parts over the same inputs, one after another.
    explicit Int4Linear(std::vector<Part> parts) : parts_(std::move(parts)) {}

    void run(const at::Tensor& x, at::Tensor& out) const override;
    std::uint64_t size_bytes() const override;

    /// The product in packed form, any number of rows: what run() does with a few.
    void run_packed(const at::Tensor& x, at::Tensor& out) const;
    /// The product with unpacked blocks: what run() does with many.
    void run_unpacked(const at::Tensor& x, at::Tensor& out) const;

  private:
    std::vector<Part> parts_;
};

}  // namespace rag::core::libtorch
