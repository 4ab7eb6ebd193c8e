// Attention within a text by matrix tiles (tiles.hpp): queries, keys, values and probabilities in bfloat16, sums and softmax in
// float32, ten times the arithmetic of vectors. For the precisions that round their activations anyway; the slow twin is
// attention.hpp. One call computes one head of one text. Thread rule: pure functions; each thread has scratch memory of its own.
#pragma once

#include "libtorch/kernels/tiles.hpp"

namespace rag::core::libtorch::kernels {

struct TileHead {
    const float* queries = nullptr;  // token i at queries + i * stride; keys and values alike
    const float* keys = nullptr;
    const float* values = nullptr;
    std::int64_t stride = 0;
    std::int64_t tokens = 0;    // at least 1
    std::int64_t head_dim = 0;  // a multiple of 32
    float scale = 0.0F;         // of the products of queries and keys
    float* out = nullptr;       // token i at out + i * out_stride
    std::int64_t out_stride = 0;
};

/// Bytes of scratch memory, aligned to 64, that a head of so many tokens needs.
std::size_t tile_scratch(std::int64_t tokens, std::int64_t head_dim);
/// Every token attends to every other. Only where tiles_available().
void attend_tiles(const TileHead& head, std::byte* scratch);

}  // namespace rag::core::libtorch::kernels
