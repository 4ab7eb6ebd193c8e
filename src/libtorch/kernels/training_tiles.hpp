// Attention of one text on the way forward and back by tiles (tiles.hpp): what training_attention.hpp computes, its slow
// twin, with queries, keys, values, weights and their gradients in bfloat16, sums and softmax in float32. A block of 32 queries
// sees all of its keys at once and is weighed again on the way back, so that nothing is kept and memory grows with the length,
// not with its square (Dao et al. 2022, https://arxiv.org/abs/2205.14135, over queries alone).
// Thread rule: pure functions; only where tiles_available().
#pragma once

#include "libtorch/kernels/tiles.hpp"
#include "libtorch/kernels/training_attention.hpp"

namespace rag::core::libtorch::kernels {

/// Whether heads of this size fill whole tiles. Does not ask whether there are tiles.
inline bool fits_training_tiles(std::int64_t head_dim) {
    return head_dim > 0 && head_dim % 32 == 0;
}

/// Bytes of scratch memory, aligned to 64, that both functions need.
std::size_t training_tiles_scratch(std::int64_t length, std::int64_t head_dim);

/// q, k, v, out: the first numbers of the head (of the first of the query heads) in the text's first row, bfloat16. text.scale is
/// above 0.
void tile_attention_forward(const ShortText& text, const std::uint16_t* q, const std::uint16_t* k, const std::uint16_t* v,
                            std::uint16_t* out, std::byte* scratch);

/// What the way back reads and writes.
struct TileGradients {
    const std::uint16_t *gradient = nullptr, *q = nullptr, *k = nullptr, *v = nullptr;  // gradient: of out
    std::uint16_t *to_q = nullptr, *to_k = nullptr, *to_v = nullptr;                    // written, not added
};
void tile_attention_backward(const ShortText& text, const TileGradients& numbers, std::byte* scratch);

}  // namespace rag::core::libtorch::kernels
