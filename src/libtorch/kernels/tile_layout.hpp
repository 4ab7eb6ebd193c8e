// How attention lays its numbers out as tiles (tiles.hpp), and the power that its softmax takes: shared by tile_attention.cpp and
// training_tiles.cpp. A left factor's tile holds 16 rows of 32 numbers as they are; a right factor's tile holds two numbers of
// the summed dimension side by side for each of 16 columns. Thread rule: pure functions; only where tiles_available().
#pragma once

#include "libtorch/kernels/tiles.hpp"

namespace rag::core::libtorch::kernels {

inline constexpr std::int64_t kPairs = 32;  // bfloat16 in a row of a tile

#if defined(RAG_TILES)

// 16 numbers as bfloat16.
RAG_TILES inline __m256i narrow(__m512 values) {
    return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values));
}

RAG_TILES inline __m256i load(const float* from, float) {
    return narrow(_mm512_loadu_ps(from));
}

RAG_TILES inline __m256i load(const std::uint16_t* from, float) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

RAG_TILES inline __m256i load(const std::int8_t* from, float scale) {
    const __m512i wide = _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    return narrow(_mm512_mul_ps(_mm512_cvtepi32_ps(wide), _mm512_set1_ps(scale)));
}

// Keys or values as they are stored.
template <typename T>
struct Rows {
    const T* first;
    std::int64_t stride;
    std::int64_t count;
    const float* scales;

    // 16 numbers of row j from `column` on; zeros behind the last row.
    RAG_TILES __m256i at(std::int64_t j, std::int64_t column) const {
        return j < count ? load(first + j * stride + column, scales == nullptr ? 1.0F : scales[j]) : _mm256_setzero_si256();
    }
};

// Rows and columns of 16 x 16 numbers of 32 bits change places.
RAG_TILES inline void turn(__m512i (&rows)[16]) {
    __m512i pairs[16];
    for (int i = 0; i < 16; i += 2) {
        pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    __m512i fours[16];  // fours[4 q + c]: in each quarter, column c of that quarter of rows 4 q .. 4 q + 3
    for (int i = 0; i < 16; i += 4) {
        fours[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        fours[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        fours[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    for (int c = 0; c < 4; ++c) {
        const __m512i upper_even = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0x88);
        const __m512i upper_odd = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0xDD);
        const __m512i lower_even = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0x88);
        const __m512i lower_odd = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0xDD);
        rows[c] = _mm512_shuffle_i32x4(upper_even, lower_even, 0x88);
        rows[4 + c] = _mm512_shuffle_i32x4(upper_odd, lower_odd, 0x88);
        rows[8 + c] = _mm512_shuffle_i32x4(upper_even, lower_even, 0xDD);
        rows[12 + c] = _mm512_shuffle_i32x4(upper_odd, lower_odd, 0xDD);
    }
}

// A tile of the transpose: 16 keys, dimensions column .. column + 32.
template <typename T>
RAG_TILES void pack_key_tile(const Rows<T>& keys, std::int64_t key, std::int64_t column, std::byte* to) {
    __m512i rows[16];
    for (std::int64_t i = 0; i < kTileRows; ++i) {
        const __m512i low = _mm512_castsi256_si512(keys.at(key + i, column));
        rows[i] = _mm512_inserti64x4(low, keys.at(key + i, column + kTileRows), 1);
    }
    turn(rows);
    for (int r = 0; r < 16; ++r) {
        _mm512_store_si512(to + r * 64, rows[r]);
    }
}

// Keys key .. key + 32 in dimensions column .. column + 16, two keys in each row.
template <typename T>
RAG_TILES void pack_value_tile(const Rows<T>& values, std::int64_t key, std::int64_t column, std::byte* to) {
    for (std::int64_t r = 0; r < kTileRows; ++r) {
        const __m512i even = _mm512_cvtepu16_epi32(values.at(key + 2 * r, column));
        const __m512i odd = _mm512_cvtepu16_epi32(values.at(key + 2 * r + 1, column));
        _mm512_store_si512(to + r * 64, _mm512_or_si512(even, _mm512_slli_epi32(odd, 16)));
    }
}

// 2^x, to five digits: the result is rounded to bfloat16's three.
RAG_TILES inline __m512 power_of_two(__m512 x) {
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 rest = _mm512_sub_ps(x, whole);
    __m512 sum = _mm512_set1_ps(9.6181291e-3F);
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(5.5504109e-2F));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(2.4022651e-1F));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(6.9314718e-1F));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.0F));
    return _mm512_scalef_ps(sum, whole);
}

#endif

}  // namespace rag::core::libtorch::kernels
