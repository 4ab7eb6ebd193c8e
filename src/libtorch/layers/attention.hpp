// Scaled dot-product attention for packed texts (encoder) and for a cached sequence (decoder), and rotary positions.
// Thread rule: pure functions; on the model's worker.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// Every token attends to all tokens of its text. qkv: [tokens, 3 * heads * head_dim] float32, text i at rows offsets[i] ..
/// offsets[i+1] less offsets[0]. Returns [tokens, heads * head_dim].
at::Tensor attend_texts(const at::Tensor& qkv, std::span<const std::int64_t> offsets, std::int64_t heads);

/// The rows of `q` are positions past .. past + rows - 1 and see all positions up to their own. q: [rows, heads, head_dim];
/// keys, values: [kv_heads, capacity, head_dim], filled up to past + rows. Returns [rows, heads * head_dim] float32.
at::Tensor attend_cached(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, std::int64_t past);

/// Cosines and sines of rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864), in float32 as transformers does.
class RotaryTable {
  public:
    RotaryTable() = default;
    RotaryTable(std::int64_t head_dim, double theta);

    /// Makes the table reach `positions`.
    void reserve(std::int64_t positions);
    /// Rotates halves in place. x: [rows, stride] float32 whose first heads * head_dim columns are the heads; row i has position
    /// first + i.
    void rotate(float* x, std::int64_t rows, std::int64_t stride, std::int64_t heads, std::int64_t first) const;

  private:
    std::int64_t half_ = 0;
    std::vector<float> frequencies_;
    std::vector<float> cosines_;  // [positions, half]
    std::vector<float> sines_;
};

}  // namespace rag::core::libtorch
