// One block of a product by tiles (tiles.hpp): 32 rows with 32 columns over any number of steps of 64 bytes, summed in 32 bits;
// unsigned bytes with signed ones, or bfloat16. By matrix tiles (0 to 3 for sums, 4 and 5 for left factors, 6 and 7 for right
// ones), or by vectors, eight rows at a time so that sums stay in registers. Both read the same memory; sums of bytes are equal,
// those of bfloat16 to float32's rounding. What surrounds the products is tile_product.cpp's and its neighbours'.
// Thread rule: pure functions, but that tiles are a state of the thread that a TileUse sets up; only where tiles_available().
#pragma once

#include <algorithm>

#include "libtorch/kernels/tiles.hpp"

namespace rag::core::libtorch::kernels {

enum class TileNumbers { kInt8, kBFloat16 };

/// The factors of a block. A left tile is 16 rows of 64 bytes of one step; a right tile has, in row r, the four bytes (the two
/// bfloat16) number r of the step for each of 16 columns, and lies in one piece.
struct BlockFactors {
    const std::byte* left[2];   // rows 0 .. 15 and 16 .. 31
    std::size_t left_row;       // bytes from a row to the next
    std::size_t left_step;      // from a step to the next
    const std::byte* right[2];  // columns 0 .. 15 and 16 .. 31
    std::size_t right_step;
    std::int64_t steps;
};

/// Where the sums of a block go, 16 rows of 16: [rows 0 .. 15, rows 16 .. 31][columns 0 .. 15, columns 16 .. 31].
struct BlockSums {
    void* tile[2][2];
    std::size_t row;  // bytes from a row to the next
};

/// The sums of a block that lies in one matrix.
template <typename T>
BlockSums sums_at(T* first, std::int64_t row) {
    return {{{first, first + kTileRows}, {first + kTileRows * row, first + kTileRows * row + kTileRows}},
            static_cast<std::size_t>(row) * sizeof(T)};
}

/// The rows of a block that are wanted.
struct BlockRows {
    std::int64_t half[2] = {kTileRows, kTileRows};  // the first ones of rows 0 .. 15 and of rows 16 .. 31

    static BlockRows first(std::int64_t count) {
        const std::int64_t upper = std::min(count, kTileRows);
        return {{upper, std::min(count - upper, kTileRows)}};
    }
};

/// Memory that following blocks will read, fetched from farther caches `lines` lines a step.
struct FetchAhead {
    const std::byte* from = nullptr;
    std::int64_t lines = 0;
};

#if defined(RAG_TILES)

/// Sets the tiles of the calling thread up, and gives them back.
class TileUse {
  public:
    explicit TileUse(TileWay way = tile_way()) : way_(way) {
        if (way_ == TileWay::kMatrix) {
            configure();
        }
    }
    ~TileUse() {
        if (way_ == TileWay::kMatrix) {
            release();
        }
    }
    TileUse(const TileUse&) = delete;
    TileUse& operator=(const TileUse&) = delete;

    TileWay way() const { return way_; }

  private:
    RAG_TILES static void configure() {
        alignas(64) std::uint8_t config[64] = {};
        config[0] = 1;  // palette
        for (int tile = 0; tile < 8; ++tile) {
            config[16 + 2 * tile] = 64;
            config[48 + tile] = 16;
        }
        asm volatile("" ::"r"(config) : "memory");  // see memory_in_place(); this array has no other reader
        _tile_loadconfig(config);
    }
    RAG_TILES static void release() { _tile_release(); }

    TileWay way_;
};

/// GCC's intrinsics that load a tile do not say that they read memory: what was written before must be in place.
inline void memory_in_place() {
    asm volatile("" ::: "memory");
}

RAG_TILES inline void fetch(FetchAhead& ahead) {
    for (std::int64_t line = 0; line < ahead.lines; ++line, ahead.from += kTileRowBytes) {
        _mm_prefetch(ahead.from, _MM_HINT_T1);
    }
}

// By matrix tiles; kLower: rows 16 .. 31 too.
template <TileNumbers N, bool kLower>
RAG_TILES inline void multiply_by_matrix(const BlockFactors& f, bool add, const BlockSums& sums, FetchAhead ahead) {
    const std::byte* top = f.left[0];
    const std::byte* below = f.left[1];
    const std::byte* first = f.right[0];
    const std::byte* second = f.right[1];
    memory_in_place();
    if (add) {
        _tile_loadd(0, sums.tile[0][0], sums.row);
        _tile_loadd(1, sums.tile[0][1], sums.row);
        if constexpr (kLower) {
            _tile_loadd(2, sums.tile[1][0], sums.row);
            _tile_loadd(3, sums.tile[1][1], sums.row);
        }
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (std::int64_t step = 0; step < f.steps; ++step) {
        _tile_loadd(4, top, f.left_row);
        _tile_loadd(6, first, kTileRowBytes);
        _tile_loadd(7, second, kTileRowBytes);
        if constexpr (kLower) {
            _tile_loadd(5, below, f.left_row);
        }
        fetch(ahead);
        if constexpr (N == TileNumbers::kInt8) {
            _tile_dpbusd(0, 4, 6);
            _tile_dpbusd(1, 4, 7);
            if constexpr (kLower) {
                _tile_dpbusd(2, 5, 6);
                _tile_dpbusd(3, 5, 7);
            }
        } else {
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            if constexpr (kLower) {
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
        top += f.left_step;
        below += f.left_step;
        first += f.right_step;
        second += f.right_step;
    }
    _tile_stored(0, sums.tile[0][0], sums.row);
    _tile_stored(1, sums.tile[0][1], sums.row);
    if constexpr (kLower) {
        _tile_stored(2, sums.tile[1][0], sums.row);
        _tile_stored(3, sums.tile[1][1], sums.row);
    }
    memory_in_place();
}

// sum + four bytes (two bfloat16) of a row times those of 16 columns.
template <TileNumbers N>
RAG_TILES inline __m512i add_products(__m512i sum, __m512i left, __m512i right) {
    if constexpr (N == TileNumbers::kInt8) {
        return _mm512_dpbusd_epi32(sum, left, right);
    } else {
        return _mm512_castps_si512(
            _mm512_dpbf16_ps(_mm512_castsi512_ps(sum), reinterpret_cast<__m512bh>(left), reinterpret_cast<__m512bh>(right)));
    }
}

// Rows of a half of the block, from `row` on, by vectors.
template <TileNumbers N, int kRows>
RAG_TILES inline void multiply_rows_by_vectors(const BlockFactors& f, int half, std::int64_t row, bool add, const BlockSums& sums,
                                               FetchAhead& ahead) {
    const std::byte* left = f.left[half] + static_cast<std::size_t>(row) * f.left_row;
    const std::byte* first = f.right[0];
    const std::byte* second = f.right[1];
    const std::size_t offset = static_cast<std::size_t>(row) * sums.row;
    std::byte* const to_first = static_cast<std::byte*>(sums.tile[half][0]) + offset;
    std::byte* const to_second = static_cast<std::byte*>(sums.tile[half][1]) + offset;
    __m512i of_first[kRows];
    __m512i of_second[kRows];
    for (std::size_t r = 0; r < kRows; ++r) {
        of_first[r] = add ? _mm512_loadu_si512(to_first + r * sums.row) : _mm512_setzero_si512();
        of_second[r] = add ? _mm512_loadu_si512(to_second + r * sums.row) : _mm512_setzero_si512();
    }
    for (std::int64_t step = 0; step < f.steps; ++step) {
        fetch(ahead);
        for (std::size_t k = 0; k < kTileRows; ++k) {
            const __m512i right_first = _mm512_loadu_si512(first + 64 * k);
            const __m512i right_second = _mm512_loadu_si512(second + 64 * k);
            for (std::size_t r = 0; r < kRows; ++r) {
                std::int32_t four;
                __builtin_memcpy(&four, left + r * f.left_row + 4 * k, sizeof four);
                const __m512i numbers = _mm512_set1_epi32(four);
                of_first[r] = add_products<N>(of_first[r], numbers, right_first);
                of_second[r] = add_products<N>(of_second[r], numbers, right_second);
            }
        }
        left += f.left_step;
        first += f.right_step;
        second += f.right_step;
    }
    for (std::size_t r = 0; r < kRows; ++r) {
        _mm512_storeu_si512(to_first + r * sums.row, of_first[r]);
        _mm512_storeu_si512(to_second + r * sums.row, of_second[r]);
    }
}

// By vectors.
template <TileNumbers N>
RAG_TILES inline void multiply_by_vectors(const BlockFactors& f, const BlockRows& rows, bool add, const BlockSums& sums,
                                          FetchAhead ahead) {
    for (int half = 0; half < 2; ++half) {
        const std::int64_t count = rows.half[half];
        std::int64_t row = 0;
        for (; count - row > 4; row += 8) {
            multiply_rows_by_vectors<N, 8>(f, half, row, add, sums, ahead);
            ahead.lines = 0;  // fetched by the first pass
        }
        if (count - row > 0) {
            multiply_rows_by_vectors<N, 4>(f, half, row, add, sums, ahead);
            ahead.lines = 0;
        }
    }
}

/// sums = left * right, or with `add` sums += left * right; those of rows that are not wanted may become anything. `way` is that
/// of a living TileUse of this thread.
template <TileNumbers N>
RAG_TILES inline void multiply_block(TileWay way, const BlockFactors& factors, const BlockRows& rows, bool add,
                                     const BlockSums& sums, const FetchAhead& ahead = {}) {
    if (way != TileWay::kMatrix) {
        multiply_by_vectors<N>(factors, rows, add, sums, ahead);
    } else if (rows.half[1] > 0) {
        multiply_by_matrix<N, true>(factors, add, sums, ahead);
    } else {
        multiply_by_matrix<N, false>(factors, add, sums, ahead);
    }
}

#endif

}  // namespace rag::core::libtorch::kernels
