#include "libtorch/kernels/tile_attention.hpp"

#include <algorithm>

namespace rag::core::libtorch::kernels {
namespace {

constexpr std::int64_t kPairs = 32;      // bfloat16 in a row of a tile
constexpr std::int64_t kQueryRows = 32;  // queries that are computed together: two tiles

// Where the parts lie in the scratch memory.
struct Parts {
    std::byte* keys;     // [tokens / 16, head_dim / 32] tiles: row r holds dimensions 2r and 2r + 1 of 16 keys
    std::byte* values;   // [tokens / 32, head_dim / 16] tiles: row r holds keys 2r and 2r + 1 in 16 dimensions
    std::byte* queries;  // [2, head_dim / 32] tiles of 16 queries
    float* scores;       // [32, tokens]
    std::byte* weights;  // [32, tokens] bfloat16
    float* sums;         // [32, head_dim]
    std::size_t bytes;
};

Parts split(std::byte* memory, std::int64_t tokens, std::int64_t head_dim) {
    const auto rows = static_cast<std::size_t>(round_up(tokens, kPairs));
    const auto columns = static_cast<std::size_t>(head_dim);
    Parts parts{};
    std::byte* at = memory;
    parts.keys = at;
    at += rows * columns * 2;
    parts.values = at;
    at += rows * columns * 2;
    parts.queries = at;
    at += kQueryRows * columns * 2;
    parts.scores = reinterpret_cast<float*>(at);
    at += kQueryRows * rows * 4;
    parts.weights = at;
    at += kQueryRows * rows * 2;
    parts.sums = reinterpret_cast<float*>(at);
    at += kQueryRows * columns * 4;
    parts.bytes = static_cast<std::size_t>(at - memory);
    return parts;
}

}  // namespace

std::size_t tile_scratch(std::int64_t tokens, std::int64_t head_dim) {
    alignas(64) static std::byte origin[1];
    return split(origin, tokens, head_dim).bytes;
}

#if defined(RAG_TILES)

namespace {

// 32 floats, or fewer, as bfloat16; what is behind `count` is 0.
RAG_TILES __m512i narrow(const float* from, __m512 factor) {
    const __m512 low = _mm512_mul_ps(_mm512_loadu_ps(from), factor);
    const __m512 high = _mm512_mul_ps(_mm512_loadu_ps(from + 16), factor);
    return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

RAG_TILES __m512i widen_bits(__m512 values) {
    return _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values)));
}

RAG_TILES void pack_keys(const TileHead& head, std::byte* to) {
    alignas(64) std::int32_t rows[16][16];
    const __m512 one = _mm512_set1_ps(1.0F);
    const __m512i steps =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32(16));
    for (std::int64_t first = 0; first < round_up(head.tokens, kPairs); first += kTileRows) {
        for (std::int64_t column = 0; column < head.head_dim; column += kPairs) {
            for (std::int64_t i = 0; i < kTileRows; ++i) {
                const bool there = first + i < head.tokens;
                _mm512_store_si512(rows[i],
                                   there ? narrow(head.keys + (first + i) * head.stride + column, one) : _mm512_setzero_si512());
            }
            for (int r = 0; r < 16; ++r) {
                _mm512_store_si512(to + r * 64, _mm512_i32gather_epi32(steps, &rows[0][r], 4));
            }
            to += kTileBytes;
        }
    }
}

RAG_TILES void pack_values(const TileHead& head, std::byte* to) {
    for (std::int64_t first = 0; first < round_up(head.tokens, kPairs); first += kPairs) {
        for (std::int64_t column = 0; column < head.head_dim; column += kTileRows) {
            for (std::int64_t r = 0; r < kTileRows; ++r) {
                const std::int64_t key = first + 2 * r;
                const float* row = head.values + key * head.stride + column;
                const __m512 even = key < head.tokens ? _mm512_loadu_ps(row) : _mm512_setzero_ps();
                const __m512 odd = key + 1 < head.tokens ? _mm512_loadu_ps(row + head.stride) : _mm512_setzero_ps();
                const __m512i both = _mm512_or_si512(widen_bits(even), _mm512_slli_epi32(widen_bits(odd), 16));
                _mm512_store_si512(to + r * 64, both);
            }
            to += kTileBytes;
        }
    }
}

RAG_TILES void pack_queries(const TileHead& head, std::int64_t first, std::byte* to) {
    // The softmax is computed with powers of two.
    const __m512 factor = _mm512_set1_ps(head.scale * 1.44269504088896341F);
    for (std::int64_t half = 0; half < 2; ++half) {
        for (std::int64_t column = 0; column < head.head_dim; column += kPairs) {
            for (std::int64_t i = 0; i < kTileRows; ++i) {
                const std::int64_t token = first + half * kTileRows + i;
                _mm512_store_si512(to + i * 64, token < head.tokens ? narrow(head.queries + token * head.stride + column, factor)
                                                                    : _mm512_setzero_si512());
            }
            to += kTileBytes;
        }
    }
}

// scores[32, width] = queries * keys^T
RAG_TILES void multiply_scores(const Parts& parts, std::int64_t width, std::int64_t head_dim) {
    const auto chunks = static_cast<std::size_t>(head_dim / kPairs);
    const auto row_bytes = static_cast<std::size_t>(width) * 4;
    const auto second_half = static_cast<std::size_t>(kTileRows) * static_cast<std::size_t>(width);
    for (std::int64_t key = 0; key < width; key += kPairs) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        const std::byte* right = parts.keys + static_cast<std::size_t>(key / kTileRows) * chunks * kTileBytes;
        for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
            _tile_loadd(4, parts.queries + chunk * kTileBytes, 64);
            _tile_loadd(5, parts.queries + (chunks + chunk) * kTileBytes, 64);
            _tile_loadd(6, right + chunk * kTileBytes, 64);
            _tile_loadd(7, right + (chunks + chunk) * kTileBytes, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        float* to = parts.scores + key;
        _tile_stored(0, to, row_bytes);
        _tile_stored(1, to + kTileRows, row_bytes);
        _tile_stored(2, to + second_half, row_bytes);
        _tile_stored(3, to + second_half + kTileRows, row_bytes);
    }
}

// 2^x for x <= 0, to five digits: the result is rounded to bfloat16's three.
RAG_TILES __m512 power_of_two(__m512 x) {
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 rest = _mm512_sub_ps(x, whole);
    __m512 sum = _mm512_set1_ps(9.6181291e-3F);
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(5.5504109e-2F));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(2.4022651e-1F));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(6.9314718e-1F));
    sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.0F));
    return _mm512_scalef_ps(sum, whole);
}

// One row of scores [tokens] to weights [width] in bfloat16, zeros behind the tokens; returns their sum.
RAG_TILES float softmax_row(float* scores, std::int64_t tokens, std::int64_t width, std::byte* weights) {
    const __m512 none = _mm512_set1_ps(-1e30F);
    for (std::int64_t i = tokens; i < width; ++i) {
        scores[i] = -1e30F;
    }
    __m512 most = none;
    for (std::int64_t i = 0; i < width; i += 16) {
        most = _mm512_max_ps(most, _mm512_load_ps(scores + i));
    }
    const __m512 shift = _mm512_set1_ps(_mm512_reduce_max_ps(most));
    __m512 total = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < width; i += kPairs) {
        const __m512 low = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + i), shift));
        const __m512 high = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + i + 16), shift));
        total = _mm512_add_ps(total, _mm512_add_ps(low, high));
        _mm512_store_si512(weights + 2 * i, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
    return _mm512_reduce_add_ps(total);
}

// sums[32, head_dim] = weights * values
RAG_TILES void multiply_values(const Parts& parts, std::int64_t width, std::int64_t head_dim) {
    const auto tiles = static_cast<std::size_t>(head_dim / kTileRows);
    const auto weight_bytes = static_cast<std::size_t>(width) * 2;
    const auto row_bytes = static_cast<std::size_t>(head_dim) * 4;
    for (std::size_t column = 0; column < tiles; column += 2) {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        for (std::int64_t key = 0; key < width; key += kPairs) {
            const std::byte* left = parts.weights + 2 * key;
            const std::byte* right = parts.values + (static_cast<std::size_t>(key / kPairs) * tiles + column) * kTileBytes;
            _tile_loadd(4, left, weight_bytes);
            _tile_loadd(5, left + kTileRows * weight_bytes, weight_bytes);
            _tile_loadd(6, right, 64);
            _tile_loadd(7, right + kTileBytes, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        float* to = parts.sums + column * kTileRows;
        _tile_stored(0, to, row_bytes);
        _tile_stored(1, to + kTileRows, row_bytes);
        _tile_stored(2, to + kTileRows * head_dim, row_bytes);
        _tile_stored(3, to + kTileRows * head_dim + kTileRows, row_bytes);
    }
}

RAG_TILES void attend(const TileHead& head, std::byte* scratch) {
    const Parts parts = split(scratch, head.tokens, head.head_dim);
    const std::int64_t width = round_up(head.tokens, kPairs);
    configure_tiles();
    pack_keys(head, parts.keys);
    pack_values(head, parts.values);
    for (std::int64_t first = 0; first < head.tokens; first += kQueryRows) {
        const std::int64_t count = std::min(kQueryRows, head.tokens - first);
        pack_queries(head, first, parts.queries);
        memory_in_place();
        multiply_scores(parts, width, head.head_dim);
        float totals[kQueryRows];
        for (std::int64_t i = 0; i < kQueryRows; ++i) {
            totals[i] = softmax_row(parts.scores + i * width, head.tokens, width, parts.weights + i * width * 2);
        }
        memory_in_place();
        multiply_values(parts, width, head.head_dim);
        for (std::int64_t i = 0; i < count; ++i) {
            const __m512 inverse = _mm512_set1_ps(1.0F / totals[i]);
            for (std::int64_t c = 0; c < head.head_dim; c += 16) {
                _mm512_storeu_ps(head.out + (first + i) * head.out_stride + c,
                                 _mm512_mul_ps(_mm512_load_ps(parts.sums + i * head.head_dim + c), inverse));
            }
        }
    }
    _tile_release();
}

}  // namespace

void attend_tiles(const TileHead& head, std::byte* scratch) {
    attend(head, scratch);
}

#else

void attend_tiles(const TileHead&, std::byte*) {}

#endif

}  // namespace rag::core::libtorch::kernels
