// Many rows against panels of int8.hpp: 16 rows, each as two planes of bytes, against 32 outputs, the sums of a block in the
// nearest cache until scales and bias have made numbers of them. By the blocks of tile_blocks.hpp, or where the processor has
// VNNI without bfloat16, by dot products of four bytes.
#include <algorithm>

#include "libtorch/kernels/int8.hpp"
#include "libtorch/kernels/tile_blocks.hpp"

#if defined(RAG_TILES)
#define RAG_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))
#endif

namespace rag::core::libtorch::kernels {

#if defined(RAG_TILES)

namespace {

constexpr std::int64_t kBlockRows = kInt8BlockRows;
constexpr std::int64_t kLine = 64;

// The sums of 16 rows: upper bytes, then lower bytes, each with 32 outputs.
struct alignas(64) Sums {
    std::int32_t plane[2][kBlockRows][2 * kInt8PanelRows];
};

// One plane, whose first tile is given, and one panel.
RAG_VNNI void multiply_by_vectors(const std::byte* panel, const std::uint8_t* tile, std::int64_t groups, std::int32_t* to) {
    __m512i sums[kBlockRows];
    for (auto& sum : sums) {
        sum = _mm512_setzero_si512();
    }
    for (std::int64_t g = 0; g < groups; ++g, tile += 2 * kInt8TileBytes) {
        for (std::int64_t k = 0; k < kInt8Group; k += 4) {
            const __m512i weights = _mm512_loadu_si512(panel + g * kInt8TileBytes + 16 * k);
            for (std::int64_t r = 0; r < kBlockRows; ++r) {
                std::int32_t four;
                __builtin_memcpy(&four, tile + r * kInt8Group + k, sizeof(four));
                sums[r] = _mm512_dpbusd_epi32(sums[r], _mm512_set1_epi32(four), weights);
            }
        }
    }
    for (std::int64_t r = 0; r < kBlockRows; ++r) {
        _mm512_store_si512(to + r * 2 * kInt8PanelRows, sums[r]);
    }
}

// kRows rows and one panel. Two sums each, since one would wait for itself.
template <std::int64_t kRows>
RAG_VNNI void multiply_few(const std::byte* panel, const std::uint8_t* tiles, std::int64_t groups, Sums& to) {
    constexpr std::int64_t kTurns = 2;
    __m512i sums[2][kRows][kTurns];
    for (auto& plane : sums) {
        for (auto& row : plane) {
            row[0] = row[1] = _mm512_setzero_si512();
        }
    }
    for (std::int64_t g = 0; g < groups; ++g, panel += kInt8TileBytes, tiles += 2 * kInt8TileBytes) {
        for (std::int64_t k = 0; k < kInt8Group; k += 4 * kTurns) {
            for (std::int64_t turn = 0; turn < kTurns; ++turn) {
                const __m512i weights = _mm512_loadu_si512(panel + 16 * (k + 4 * turn));
                for (std::int64_t plane = 0; plane < 2; ++plane) {
                    for (std::int64_t r = 0; r < kRows; ++r) {
                        std::int32_t four;
                        __builtin_memcpy(&four, tiles + plane * kInt8TileBytes + r * kInt8Group + k + 4 * turn, sizeof(four));
                        sums[plane][r][turn] = _mm512_dpbusd_epi32(sums[plane][r][turn], _mm512_set1_epi32(four), weights);
                    }
                }
            }
        }
    }
    for (std::int64_t plane = 0; plane < 2; ++plane) {
        for (std::int64_t r = 0; r < kRows; ++r) {
            _mm512_store_si512(to.plane[plane][r], _mm512_add_epi32(sums[plane][r][0], sums[plane][r][1]));
        }
    }
}

RAG_VNNI void finish(const Sums& sums, std::int64_t column, const Int8Outputs& outputs, const float* scales, std::int64_t rows,
                     float* out, std::int64_t out_stride) {
    const auto there = static_cast<__mmask16>((1U << outputs.count) - 1U);
    const __m512 scale = _mm512_loadu_ps(outputs.scale);
    // The upper bytes were raised by 128.
    const __m512i raised = _mm512_slli_epi32(_mm512_loadu_si512(outputs.sums), 7);
    const __m512 bias = outputs.bias == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(there, outputs.bias);
    const __m512 upper = _mm512_set1_ps(256.0F);
    for (std::int64_t r = 0; r < rows; ++r) {
        const __m512i high = _mm512_sub_epi32(_mm512_load_si512(sums.plane[0][r] + column), raised);
        const __m512 low = _mm512_cvtepi32_ps(_mm512_load_si512(sums.plane[1][r] + column));
        const __m512 sum = _mm512_mul_ps(scale, _mm512_fmadd_ps(upper, _mm512_cvtepi32_ps(high), low));
        _mm512_mask_storeu_ps(out + r * out_stride, there, _mm512_fmadd_ps(_mm512_set1_ps(scales[r]), sum, bias));
    }
}

RAG_TILES void run_tiles(const std::byte* panel, const Int8Planes& x, const Int8Outputs& first, const Int8Outputs* second,
                         float* out, std::int64_t out_stride) {
    Sums sums;
    const std::byte* right = second == nullptr ? panel : panel + x.groups * kInt8TileBytes;
    const std::int64_t blocks = (x.rows + kBlockRows - 1) / kBlockRows;
    // The next two panels in as many steps as this call has: a layer's weights are more than the second-level cache holds, and
    // waiting for them took a fifth of the products' time.
    const std::int64_t lines = (2 * kInt8TileBytes / kLine + blocks - 1) / blocks;
    const std::byte* ahead = panel + 2 * x.groups * kInt8TileBytes;
    const TileUse use;
    for (std::int64_t row = 0; row < x.rows; row += kBlockRows) {
        const std::int64_t rows = std::min(kBlockRows, x.rows - row);
        const auto* upper = reinterpret_cast<const std::byte*>(x.tiles + int8_planes_bytes(row, x.groups));
        multiply_block<TileNumbers::kInt8>(
            use.way(),
            {{upper, upper + kInt8TileBytes}, kTileRowBytes, 2 * kInt8TileBytes, {panel, right}, kInt8TileBytes, x.groups},
            {{rows, rows}}, false, sums_at(sums.plane[0][0], 2 * kInt8PanelRows), {ahead, lines});
        ahead += x.groups * lines * kLine;
        finish(sums, 0, first, x.scales + row, rows, out + row * out_stride, out_stride);
        if (second != nullptr) {
            finish(sums, kInt8PanelRows, *second, x.scales + row, rows, out + row * out_stride + kInt8PanelRows, out_stride);
        }
    }
}

RAG_VNNI float largest_of(const float* x, std::int64_t count) {
    __m512 largest = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < count; k += 16) {
        const auto there = static_cast<__mmask16>(count - k >= 16 ? 0xFFFFU : (1U << (count - k)) - 1U);
        largest = _mm512_max_ps(largest, _mm512_abs_ps(_mm512_maskz_loadu_ps(there, x + k)));
    }
    return _mm512_reduce_max_ps(largest);
}

}  // namespace

RAG_VNNI void load_int8_planes_row(const float* x, std::int64_t inputs, std::int64_t row, std::uint8_t* tiles, float* scale) {
    const float largest = largest_of(x, inputs);
    *scale = largest / 32767.0F;
    const __m512 factor = _mm512_set1_ps(largest > 0.0F ? 32767.0F / largest : 0.0F);
    const __m512i raised = _mm512_set1_epi32(128);
    const std::int64_t groups = int8_groups(inputs);
    std::uint8_t* to = tiles + int8_planes_bytes(row / kBlockRows * kBlockRows, groups) + row % kBlockRows * kInt8Group;
    for (std::int64_t k = 0; k < groups * kInt8Group; k += 16) {
        const std::int64_t left = std::clamp<std::int64_t>(inputs - k, 0, 16);
        const auto there = static_cast<__mmask16>((1U << left) - 1U);
        const __m512i numbers = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(there, x + k), factor));
        std::uint8_t* at = to + k / kInt8Group * 2 * kInt8TileBytes + k % kInt8Group;
        const __m512i high = _mm512_add_epi32(_mm512_srai_epi32(numbers, 8), raised);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtepi32_epi8(high));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(at + kInt8TileBytes), _mm512_cvtepi32_epi8(numbers));
    }
}

bool int8_planes_available() {
    static const bool available = __builtin_cpu_supports("avx512vnni") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                                  __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
    return available;
}

void multiply_int8_planes_by_vectors(const std::byte* panel, const Int8Planes& x, const Int8Outputs& first,
                                     const Int8Outputs* second, float* out, std::int64_t out_stride) {
    Sums sums;
    for (std::int64_t row = 0; row < x.rows; row += kBlockRows) {
        const std::int64_t rows = std::min(kBlockRows, x.rows - row);
        const std::uint8_t* block = x.tiles + int8_planes_bytes(row, x.groups);
        for (const Int8Outputs* outputs : {&first, second}) {
            if (outputs == nullptr) {
                continue;
            }
            const std::int64_t column = outputs == &first ? 0 : kInt8PanelRows;
            const std::byte* weights = outputs == &first ? panel : panel + x.groups * kInt8TileBytes;
            multiply_by_vectors(weights, block, x.groups, sums.plane[0][0] + column);
            multiply_by_vectors(weights, block + kInt8TileBytes, x.groups, sums.plane[1][0] + column);
            finish(sums, column, *outputs, x.scales + row, rows, out + row * out_stride + column, out_stride);
        }
    }
}

void multiply_int8_planes_few(const std::byte* panel, const Int8Planes& x, const Int8Outputs& outputs, float* out,
                              std::int64_t out_stride) {
    Sums sums;
    switch (x.rows) {
        case 1:
            multiply_few<1>(panel, x.tiles, x.groups, sums);
            break;
        case 2:
            multiply_few<2>(panel, x.tiles, x.groups, sums);
            break;
        case 3:
            multiply_few<3>(panel, x.tiles, x.groups, sums);
            break;
        default:
            multiply_few<kInt8Rows>(panel, x.tiles, x.groups, sums);
    }
    finish(sums, 0, outputs, x.scales, x.rows, out, out_stride);
}

void multiply_int8_planes(const std::byte* panel, const Int8Planes& x, const Int8Outputs& first, const Int8Outputs* second,
                          float* out, std::int64_t out_stride) {
    if (tiles_available()) {
        run_tiles(panel, x, first, second, out, out_stride);
    } else {
        multiply_int8_planes_by_vectors(panel, x, first, second, out, out_stride);
    }
}

#else

bool int8_planes_available() {
    return false;
}

void load_int8_planes_row(const float*, std::int64_t, std::int64_t, std::uint8_t*, float*) {}

void multiply_int8_planes_by_vectors(const std::byte*, const Int8Planes&, const Int8Outputs&, const Int8Outputs*, float*,
                                     std::int64_t) {}

void multiply_int8_planes(const std::byte*, const Int8Planes&, const Int8Outputs&, const Int8Outputs*, float*, std::int64_t) {}

void multiply_int8_planes_few(const std::byte*, const Int8Planes&, const Int8Outputs&, float*, std::int64_t) {}

#endif

}  // namespace rag::core::libtorch::kernels
