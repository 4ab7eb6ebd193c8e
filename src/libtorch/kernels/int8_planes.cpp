// Many rows against panels of int8.hpp: 16 rows, each as two planes of bytes, against 32 outputs, the sums of a block in the
// nearest cache until scales and bias have made numbers of them. By matrix tiles (AMX) or by dot products of four bytes (VNNI).
#include <algorithm>

#include "libtorch/kernels/int8.hpp"
#include "libtorch/kernels/tiles.hpp"

#if defined(RAG_TILES)
#define RAG_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))
#endif

namespace rag::core::libtorch::kernels {

#if defined(RAG_TILES)

namespace {

constexpr std::int64_t kBlockRows = 16;
constexpr std::size_t kRowSums = 2 * kInt8PanelRows * sizeof(std::int32_t);  // bytes of a row of a block

// The sums of 16 rows: upper bytes, then lower bytes, each with 32 outputs.
struct alignas(64) Sums {
    std::int32_t plane[2][kBlockRows][2 * kInt8PanelRows];
};

RAG_TILES void multiply_by_tiles(const std::byte* left, const std::byte* right, const std::uint8_t* high, const std::uint8_t* low,
                                 std::int64_t groups, Sums& sums) {
    const auto stride = static_cast<std::size_t>(groups * kInt8Group);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (std::int64_t g = 0; g < groups; ++g) {
        _tile_loadd(4, high + g * kInt8Group, stride);
        _tile_loadd(6, left + g * kInt8TileBytes, 64);
        _tile_loadd(7, right + g * kInt8TileBytes, 64);
        _tile_loadd(5, low + g * kInt8Group, stride);
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_stored(0, sums.plane[0][0], kRowSums);
    _tile_stored(1, sums.plane[0][0] + kInt8PanelRows, kRowSums);
    _tile_stored(2, sums.plane[1][0], kRowSums);
    _tile_stored(3, sums.plane[1][0] + kInt8PanelRows, kRowSums);
}

// One plane and one panel.
RAG_VNNI void multiply_by_vectors(const std::byte* panel, const std::uint8_t* rows, std::int64_t groups, std::int32_t* to) {
    const std::int64_t stride = groups * kInt8Group;
    __m512i sums[kBlockRows];
    for (auto& sum : sums) {
        sum = _mm512_setzero_si512();
    }
    for (std::int64_t k = 0; k < stride; k += 4) {
        const __m512i weights = _mm512_loadu_si512(panel + 16 * k);
        for (std::int64_t r = 0; r < kBlockRows; ++r) {
            std::int32_t four;
            __builtin_memcpy(&four, rows + r * stride + k, sizeof(four));
            sums[r] = _mm512_dpbusd_epi32(sums[r], _mm512_set1_epi32(four), weights);
        }
    }
    for (std::int64_t r = 0; r < kBlockRows; ++r) {
        _mm512_store_si512(to + r * 2 * kInt8PanelRows, sums[r]);
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
    memory_in_place();
    configure_tiles();
    for (std::int64_t row = 0; row < x.rows; row += kBlockRows) {
        const std::int64_t rows = std::min(kBlockRows, x.rows - row);
        const std::int64_t at = row * x.groups * kInt8Group;
        multiply_by_tiles(panel, right, x.high + at, x.low + at, x.groups, sums);
        memory_in_place();
        finish(sums, 0, first, x.scales + row, rows, out + row * out_stride, out_stride);
        if (second != nullptr) {
            finish(sums, kInt8PanelRows, *second, x.scales + row, rows, out + row * out_stride + kInt8PanelRows, out_stride);
        }
    }
    _tile_release();
}

}  // namespace

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
        const std::int64_t at = row * x.groups * kInt8Group;
        for (const Int8Outputs* outputs : {&first, second}) {
            if (outputs == nullptr) {
                continue;
            }
            const std::int64_t column = outputs == &first ? 0 : kInt8PanelRows;
            const std::byte* weights = outputs == &first ? panel : panel + x.groups * kInt8TileBytes;
            multiply_by_vectors(weights, x.high + at, x.groups, sums.plane[0][0] + column);
            multiply_by_vectors(weights, x.low + at, x.groups, sums.plane[1][0] + column);
            finish(sums, column, *outputs, x.scales + row, rows, out + row * out_stride + column, out_stride);
        }
    }
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

void multiply_int8_planes_by_vectors(const std::byte*, const Int8Planes&, const Int8Outputs&, const Int8Outputs*, float*,
                                     std::int64_t) {}

void multiply_int8_planes(const std::byte*, const Int8Planes&, const Int8Outputs&, const Int8Outputs*, float*, std::int64_t) {}

#endif

}  // namespace rag::core::libtorch::kernels
