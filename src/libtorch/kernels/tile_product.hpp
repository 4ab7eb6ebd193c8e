// Products of rows with the weights of a linear layer by tiles (tile_blocks.hpp): unsigned bytes with signed bytes, or bfloat16,
// summed in 32 bits. Weights are packed once into the tiles' layout; scales, zero points, bias and activation are applied to sums
// that have not left the nearest cache. The slow twins are packed_int8.hpp's arithmetic and a float32 product.
// Thread rule: pure functions; only where tiles_available().
#pragma once

#include "libtorch/kernels/tile_blocks.hpp"

namespace rag::core::libtorch::kernels {

enum class TileActivation { kNone, kGelu, kRelu };

/// Weights [outputs, inputs]. The vectors have room for outputs rounded up to 32.
struct TileMatrix {
    TileNumbers numbers = TileNumbers::kInt8;
    std::int64_t outputs = 0;
    std::int64_t inputs = 0;
    const std::byte* tiles = nullptr;    // as packed, aligned to 64
    const float* scale = nullptr;        // of int8: weight = scale * byte
    const float* column_sums = nullptr;  // of int8: scale * sum of an output's bytes
    const float* bias = nullptr;
};

/// Bytes of the packed weights.
std::size_t tile_matrix_bytes(TileNumbers numbers, std::int64_t outputs, std::int64_t inputs);
/// weights: [outputs, inputs]
void pack_tiles(const std::int8_t* weights, std::int64_t outputs, std::int64_t inputs, std::byte* tiles);
void pack_tiles(const float* weights, std::int64_t outputs, std::int64_t inputs, std::byte* tiles);

/// Rows as the products read them: blocks of 16 rows, a block tile by tile, so that a product reads memory in its order; room for
/// rows rounded up to 32 times tile_row_bytes(), aligned to 64. scale and zero as in quantize_row, [rows], of int8 only.
struct TileRowsIn {
    std::byte* bytes = nullptr;
    float* scale = nullptr;
    float* zero = nullptr;
};

std::size_t tile_row_bytes(TileNumbers numbers, std::int64_t inputs);
/// Row `row` of `to` from `columns` floats: quantised by row, or rounded.
void load_tile_row(TileNumbers numbers, const float* x, std::int64_t columns, std::int64_t row, const TileRowsIn& to);

/// out[r, c] = activation(x W^T + bias) for r < rows; row r at out + r * stride.
void multiply_tiles(const TileMatrix& matrix, const TileRowsIn& x, std::int64_t rows, TileActivation activation, float* out,
                    std::int64_t stride);

}  // namespace rag::core::libtorch::kernels
