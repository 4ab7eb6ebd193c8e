#include "libtorch/kernels/tile_product.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

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

// The first `count` of 16 lanes.
inline __mmask16 first_lanes(std::int64_t count) {
    return static_cast<__mmask16>((1U << std::clamp<std::int64_t>(count, 0, 16)) - 1U);
}

// 64 bytes of a tile from the row's numbers: 16 at a time, the first `count` of all, zeros behind them.
template <int kVectors>
RAG_TILES inline void load_values(const float* x, std::int64_t count, __m512 (&out)[kVectors]) {
    for (std::int64_t i = 0; i < kVectors; ++i) {
        out[i] =
            count >= 16 * kVectors ? _mm512_loadu_ps(x + 16 * i) : _mm512_maskz_loadu_ps(first_lanes(count - 16 * i), x + 16 * i);
    }
}

// A row of bfloat16, 64 bytes a tile.
RAG_TILES void round_row(const float* x, std::int64_t columns, std::byte* tile) {
    for (std::int64_t c = 0; c < columns; c += kPairedRows, tile += kTileBytes) {
        __m512 values[2];
        load_values(x + c, columns - c, values);
        _mm512_store_si512(tile, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(values[1], values[0])));
    }
}

// What quantize_row does, 64 bytes a tile.
RAG_TILES void quantize_row_to_tiles(const float* x, std::int64_t columns, std::byte* tile, float* scale, float* zero) {
    __m512 low[4];  // of the range, which holds 0
    __m512 high[4];
    for (int i = 0; i < 4; ++i) {
        low[i] = high[i] = _mm512_setzero_ps();
    }
    __m512 values[4];
    for (std::int64_t c = 0; c < columns; c += kTileRowBytes) {
        load_values(x + c, columns - c, values);
        for (int i = 0; i < 4; ++i) {
            low[i] = _mm512_min_ps(low[i], values[i]);
            high[i] = _mm512_max_ps(high[i], values[i]);
        }
    }
    const float lowest = _mm512_reduce_min_ps(_mm512_min_ps(_mm512_min_ps(low[0], low[1]), _mm512_min_ps(low[2], low[3])));
    const float highest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(high[0], high[1]), _mm512_max_ps(high[2], high[3])));
    const float span = highest - lowest;
    *scale = span > 0.0F ? span / 255.0F : 1.0F;
    const float inverse = 1.0F / *scale;
    *zero = std::nearbyint(-lowest * inverse);
    const __m512 factor = _mm512_set1_ps(inverse);
    const __m512 shift = _mm512_set1_ps(*zero);
    // Packing works in quarters of 16 bytes: this is the order that makes rows of them again.
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    for (std::int64_t c = 0; c < columns; c += kTileRowBytes, tile += kTileBytes) {
        load_values(x + c, columns - c, values);
        __m512i whole[4];
        for (int i = 0; i < 4; ++i) {
            whole[i] = _mm512_cvtps_epi32(_mm512_fmadd_ps(values[i], factor, shift));
        }
        const __m512i bytes =
            _mm512_packus_epi16(_mm512_packus_epi32(whole[0], whole[1]), _mm512_packus_epi32(whole[2], whole[3]));
        const std::int64_t there = std::min(columns - c, kTileRowBytes);
        _mm512_store_si512(tile,
                           _mm512_maskz_mov_epi8(~std::uint64_t{0} >> (64 - there), _mm512_permutexvar_epi32(order, bytes)));
    }
}

// x * Phi(x) = max(x, 0) - h(|x|) where h(a) = a * (1 - Phi(a)): h by parabolas around 32 equally spaced points, each through
// three of its values. Off by 3e-5 at most, a hundredth of what bytes and bfloat16 resolve; and in half the time of one
// polynomial as exact, since products and polynomials want the same units of the processor, but tables do not.
struct GeluTable {
    static constexpr double kStep = 4.5 / 31;
    alignas(64) float of[3][32];  // coefficients of 1, a and a^2

    GeluTable() {
        for (int i = 0; i < 32; ++i) {
            // Newton's form over Chebyshev's points of [kStep * (i - 0.5), kStep * (i + 0.5)]
            const double middle = kStep * i;
            const double reach = kStep * 0.5 * 0.86602540378443865;
            const double at[3] = {middle - reach, middle, middle + reach};
            const auto h = [](double a) { return 0.5 * a * std::erfc(a * 0.70710678118654752); };
            const double first = (h(at[1]) - h(at[0])) / reach;
            const double second = ((h(at[2]) - h(at[1])) / reach - first) / (2.0 * reach);
            of[0][i] = static_cast<float>(h(at[0]) - first * at[0] + second * at[0] * at[1]);
            of[1][i] = static_cast<float>(first - second * (at[0] + at[1]));
            of[2][i] = static_cast<float>(second);
        }
    }
};

const GeluTable& gelu_table() {
    static const GeluTable table;
    return table;
}

// Those of 32 numbers that the low bits of 16 indices name.
RAG_TILES inline __m512 pick(const float* from, __m512i indices) {
    return _mm512_permutex2var_ps(_mm512_load_ps(from), indices, _mm512_load_ps(from + 16));
}

RAG_TILES inline __m512 gelu(__m512 x, const GeluTable& table) {
    constexpr float kWhole = 12582912.0F;  // 1.5 * 2^23: a number added to it is rounded, and stands in its low bits
    const __m512 size = _mm512_min_ps(_mm512_abs_ps(x), _mm512_set1_ps(static_cast<float>(31 * GeluTable::kStep)));
    const __m512i index = _mm512_castps_si512(
        _mm512_fmadd_ps(size, _mm512_set1_ps(static_cast<float>(1.0 / GeluTable::kStep)), _mm512_set1_ps(kWhole)));
    const __m512 slope = _mm512_fmadd_ps(pick(table.of[2], index), size, pick(table.of[1], index));
    const __m512 tail = _mm512_fmadd_ps(slope, size, pick(table.of[0], index));
    return _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), tail);  // in this order not-a-number stays one
}

template <TileActivation A>
RAG_TILES inline __m512 activate(__m512 x, const GeluTable& table) {
    if constexpr (A == TileActivation::kGelu) {
        return gelu(x, table);
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
    out.there = first_lanes(matrix.outputs - column);
    return out;
}

template <TileNumbers N, TileActivation A>
RAG_TILES inline void finish(const void* sums, const OutputScales& outputs, __m512 row_scale, __m512 row_zero,
                             const GeluTable& table, float* out) {
    __m512 value;
    if constexpr (N == TileNumbers::kInt8) {
        const __m512 raw = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums)), outputs.scale);
        value = _mm512_fmadd_ps(row_scale, _mm512_fnmadd_ps(row_zero, outputs.column_sums, raw), outputs.bias);
    } else {
        value = _mm512_add_ps(_mm512_load_ps(sums), outputs.bias);
    }
    _mm512_mask_storeu_ps(out, outputs.there, activate<A>(value, table));
}

template <TileNumbers N, TileActivation A>
RAG_TILES void multiply(const TileMatrix& matrix, const TileRowsIn& x, std::int64_t rows, float* out, std::int64_t stride) {
    alignas(64) float sums[2][kPairedRows][kPairedRows];  // of int8: whole numbers
    const std::size_t row_bytes = tile_row_bytes(N, matrix.inputs);
    // The next panel in as many steps as one has: a model's weights are more than the second-level cache holds.
    const std::int64_t blocks = (rows + kPairedRows - 1) / kPairedRows;
    const std::int64_t lines = (kPairedRows + blocks - 1) / blocks;
    const std::size_t fetched = static_cast<std::size_t>(lines) * row_bytes;  // a block
    const GeluTable& table = gelu_table();
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
            memory_in_place();  // else GELU's tables are loaded once, into the registers that the sums need
            float* to = out + first * stride + column;
            for (std::int64_t r = 0; r < count; ++r, to += stride) {
                __m512 scale = _mm512_setzero_ps();
                __m512 zero = scale;
                if constexpr (N == TileNumbers::kInt8) {
                    scale = _mm512_set1_ps(x.scale[first + r]);
                    zero = _mm512_set1_ps(x.zero[first + r]);
                }
                finish<N, A>(block[r], left, scale, zero, table, to);
                finish<N, A>(block[r] + kTileRows, right, scale, zero, table, to + kTileRows);
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
    std::byte* const block = to.bytes + static_cast<std::size_t>(row / kTileRows * kTileRows) * tile_row_bytes(numbers, columns);
    std::byte* const tile = block + row % kTileRows * kTileRowBytes;
    if (numbers == TileNumbers::kInt8) {
        quantize_row_to_tiles(x, columns, tile, to.scale + row, to.zero + row);
    } else {
        round_row(x, columns, tile);
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
