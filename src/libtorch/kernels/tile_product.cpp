#include "libtorch/kernels/tile_product.hpp"

#include <algorithm>
#include <cstring>

#include "libtorch/kernels/rows.hpp"

namespace rag::core::libtorch::kernels {
namespace {

std::int64_t row_elements(TileNumbers numbers) {
    return numbers == TileNumbers::kInt8 ? kTileRowBytes : kTileRowBytes / 2;
}

// Tiles of 64 bytes of the inputs' direction.
std::int64_t chunks_of(TileNumbers numbers, std::int64_t inputs) {
    return (inputs + row_elements(numbers) - 1) / row_elements(numbers);
}

// To [outputs / 32, chunks, 2] tiles; row r of a tile holds, for 16 outputs, the 4 bytes of inputs r * step .. r * step + step
// - 1.
template <typename To, typename From, typename Convert>
void pack(const From* weights, std::int64_t outputs, std::int64_t inputs, std::byte* tiles, Convert convert) {
    constexpr std::int64_t kStep = 4 / static_cast<std::int64_t>(sizeof(To));
    constexpr std::int64_t kElements = kTileRowBytes / static_cast<std::int64_t>(sizeof(To));
    auto* to = reinterpret_cast<To*>(tiles);
    for (std::int64_t panel = 0; panel < outputs; panel += kPairedRows) {
        for (std::int64_t chunk = 0; chunk < inputs; chunk += kElements) {
            for (std::int64_t column = panel; column < panel + kPairedRows; column += kTileRows) {
                for (std::int64_t r = 0; r < kTileRows; ++r) {
                    for (std::int64_t c = column; c < column + kTileRows; ++c) {
                        for (std::int64_t k = chunk + r * kStep; k < chunk + (r + 1) * kStep; ++k) {
                            *to++ = c < outputs && k < inputs ? convert(weights[c * inputs + k]) : To{};
                        }
                    }
                }
            }
        }
    }
}

// Rounded to nearest, ties to even; not-a-number stays one.
std::uint16_t to_bfloat16(float value) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) {
        return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
    }
    return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

}  // namespace

std::size_t tile_row_bytes(TileNumbers numbers, std::int64_t inputs) {
    return static_cast<std::size_t>(chunks_of(numbers, inputs) * kTileRowBytes);
}

std::size_t tile_matrix_bytes(TileNumbers numbers, std::int64_t outputs, std::int64_t inputs) {
    return static_cast<std::size_t>(round_up(outputs, kPairedRows)) * tile_row_bytes(numbers, inputs);
}

void pack_tiles(const std::int8_t* weights, std::int64_t outputs, std::int64_t inputs, std::byte* tiles) {
    pack<std::int8_t>(weights, outputs, inputs, tiles, [](std::int8_t value) { return value; });
}

void pack_tiles(const float* weights, std::int64_t outputs, std::int64_t inputs, std::byte* tiles) {
    pack<std::uint16_t>(weights, outputs, inputs, tiles, to_bfloat16);
}

#if defined(RAG_TILES)

namespace {

RAG_TILES void round_row(const float* x, std::int64_t columns, std::byte* to) {
    std::int64_t c = 0;
    for (; c + kPairedRows <= columns; c += kPairedRows) {
        const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + c + 16), _mm512_loadu_ps(x + c));
        _mm512_storeu_si512(to + 2 * c, reinterpret_cast<__m512i>(both));
    }
    for (; c < columns; ++c) {
        const std::uint16_t value = to_bfloat16(x[c]);
        std::memcpy(to + 2 * c, &value, sizeof value);
    }
}

// x * Phi(x), Phi by an odd polynomial fitted to x * Phi(x) on |x| <= 4.4; off by 5e-5 + 4e-6 |x| at most, a hundredth of what
// bytes and bfloat16 resolve.
RAG_TILES inline __m512 gelu(__m512 x) {
    const __m512 limit = _mm512_set1_ps(4.4F);
    const __m512 near = _mm512_max_ps(_mm512_min_ps(x, limit), _mm512_sub_ps(_mm512_setzero_ps(), limit));
    const __m512 square = _mm512_mul_ps(near, near);
    __m512 sum = _mm512_set1_ps(3.57261200e-11F);
    sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(-3.75661502e-09F));
    sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(1.74170296e-07F));
    sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(-4.72639294e-06F));
    sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(8.43086673e-05F));
    sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(-1.05508533e-03F));
    sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(9.64332931e-03F));
    sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(-6.60768971e-02F));
    sum = _mm512_fmadd_ps(sum, square, _mm512_set1_ps(3.98761839e-01F));
    return _mm512_mul_ps(x, _mm512_fmadd_ps(sum, near, _mm512_set1_ps(0.5F)));
}

template <TileActivation A>
RAG_TILES inline __m512 activate(__m512 x) {
    if constexpr (A == TileActivation::kGelu) {
        return gelu(x);
    } else if constexpr (A == TileActivation::kRelu) {
        return _mm512_max_ps(x, _mm512_setzero_ps());
    } else {
        return x;
    }
}

// 16 of the outputs, from `column` on.
struct OutputScales {
    __m512 scale;
    __m512 column_sums;
    __m512 bias;
    __mmask16 there;
};

template <TileNumbers N>
RAG_TILES inline OutputScales load_scales(const TileMatrix& matrix, std::int64_t column) {
    OutputScales out;
    if constexpr (N == TileNumbers::kInt8) {
        out.scale = _mm512_loadu_ps(matrix.scale + column);
        out.column_sums = _mm512_loadu_ps(matrix.column_sums + column);
    } else {
        out.scale = out.column_sums = _mm512_setzero_ps();
    }
    out.bias = _mm512_loadu_ps(matrix.bias + column);
    const std::int64_t left = std::clamp<std::int64_t>(matrix.outputs - column, 0, 16);
    out.there = static_cast<__mmask16>((1U << left) - 1U);
    return out;
}

template <TileNumbers N, TileActivation A>
RAG_TILES inline void finish(const void* sums, const OutputScales& outputs, __m512 row_scale, __m512 row_zero, float* out) {
    __m512 value;
    if constexpr (N == TileNumbers::kInt8) {
        const __m512 raw = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums)), outputs.scale);
        value = _mm512_fmadd_ps(row_scale, _mm512_fnmadd_ps(row_zero, outputs.column_sums, raw), outputs.bias);
    } else {
        value = _mm512_add_ps(_mm512_load_ps(sums), outputs.bias);
    }
    _mm512_mask_storeu_ps(out, outputs.there, activate<A>(value));
}

template <TileNumbers N, TileActivation A>
RAG_TILES void multiply(const TileMatrix& matrix, const TileRowsIn& x, std::int64_t rows, float* out, std::int64_t stride) {
    alignas(64) float sums[2][kPairedRows][kPairedRows];  // of int8: whole numbers
    const std::size_t row_bytes = tile_row_bytes(N, matrix.inputs);
    // The next panel in as many steps as one has: a model's weights are more than the second-level cache holds.
    const std::int64_t blocks = (rows + kPairedRows - 1) / kPairedRows;
    const std::int64_t lines = (kPairedRows + blocks - 1) / blocks;
    const std::size_t fetched = static_cast<std::size_t>(lines) * row_bytes;  // a block
    const TileUse use;
    for (std::int64_t column = 0; column < matrix.outputs; column += kPairedRows) {
        const std::byte* panel = matrix.tiles + static_cast<std::size_t>(column) * row_bytes;
        const std::byte* ahead = panel + kPairedRows * row_bytes;
        const OutputScales left = load_scales<N>(matrix, column);
        const OutputScales right = load_scales<N>(matrix, column + kTileRows);
        for (std::int64_t first = 0; first < rows; first += kPairedRows) {
            const std::int64_t count = std::min(rows - first, kPairedRows);
            auto& block = sums[first / kPairedRows % 2];
            const std::byte* from = x.bytes + static_cast<std::size_t>(first) * row_bytes;
            multiply_block<N>(use.way(),
                              {{from, from + kTileRows * row_bytes},
                               kTileRowBytes,
                               kTileBytes,
                               {panel, panel + kTileBytes},
                               2 * kTileBytes,
                               chunks_of(N, matrix.inputs)},
                              BlockRows::first(count), false, sums_at(&block[0][0], kPairedRows), {ahead, lines});
            ahead += fetched;
            float* to = out + first * stride + column;
            for (std::int64_t r = 0; r < count; ++r, to += stride) {
                __m512 scale = _mm512_setzero_ps();
                __m512 zero = scale;
                if constexpr (N == TileNumbers::kInt8) {
                    scale = _mm512_set1_ps(x.scale[first + r]);
                    zero = _mm512_set1_ps(x.zero[first + r]);
                }
                finish<N, A>(block[r], left, scale, zero, to);
                finish<N, A>(block[r] + kTileRows, right, scale, zero, to + kTileRows);
            }
        }
    }
}

template <TileNumbers N>
void multiply_as(const TileMatrix& matrix, const TileRowsIn& x, std::int64_t rows, TileActivation activation, float* out,
                 std::int64_t stride) {
    switch (activation) {
        case TileActivation::kNone:
            return multiply<N, TileActivation::kNone>(matrix, x, rows, out, stride);
        case TileActivation::kGelu:
            return multiply<N, TileActivation::kGelu>(matrix, x, rows, out, stride);
        case TileActivation::kRelu:
            return multiply<N, TileActivation::kRelu>(matrix, x, rows, out, stride);
    }
}

}  // namespace

void load_tile_row(TileNumbers numbers, const float* x, std::int64_t columns, std::int64_t row, const TileRowsIn& to) {
    const std::size_t row_bytes = tile_row_bytes(numbers, columns);
    std::byte* flat = to.flat;
    std::size_t used = 0;
    if (numbers == TileNumbers::kInt8) {
        quantize_row(x, columns, reinterpret_cast<std::uint8_t*>(flat), to.scale + row, to.zero + row);
        used = static_cast<std::size_t>(columns);
    } else {
        round_row(x, columns, flat);
        used = 2 * static_cast<std::size_t>(columns);
    }
    std::fill(flat + used, flat + row_bytes, std::byte{0});
    std::byte* tile =
        to.bytes + static_cast<std::size_t>(row / kTileRows * kTileRows) * row_bytes + row % kTileRows * kTileRowBytes;
    for (std::size_t at = 0; at < row_bytes; at += kTileRowBytes, tile += kTileBytes) {
        std::memcpy(tile, flat + at, kTileRowBytes);
    }
}

void multiply_tiles(const TileMatrix& matrix, const TileRowsIn& x, std::int64_t rows, TileActivation activation, float* out,
                    std::int64_t stride) {
    if (matrix.numbers == TileNumbers::kInt8) {
        multiply_as<TileNumbers::kInt8>(matrix, x, rows, activation, out, stride);
    } else {
        multiply_as<TileNumbers::kBFloat16>(matrix, x, rows, activation, out, stride);
    }
}

#else

void load_tile_row(TileNumbers, const float*, std::int64_t, std::int64_t, const TileRowsIn&) {}

void multiply_tiles(const TileMatrix&, const TileRowsIn&, std::int64_t, TileActivation, float*, std::int64_t) {}

#endif

}  // namespace rag::core::libtorch::kernels
