#include "libtorch/kernels/training_tiles.hpp"

#include <algorithm>

#include "libtorch/kernels/tile_blocks.hpp"
#include "libtorch/kernels/tile_layout.hpp"

namespace rag::core::libtorch::kernels {
namespace {

constexpr std::int64_t kBlock = 32;  // queries

// Where the parts lie in the scratch memory. "Across": summed over dimensions; "down": summed over keys or queries.
struct Parts {
    std::int64_t dim, keys;                        // keys: the length, rounded up to whole tiles
    std::byte *keys_across, *values_across;        // right factors, [keys / 16, dim / 32] tiles
    std::byte *keys_down, *values_down;            // right factors, [keys / 32, dim / 16] tiles
    std::byte *queries, *gradients;                // left factors, [2, dim / 32] tiles
    std::byte *turned_queries, *turned_gradients;  // left factors, [dim / 16] tiles of 16 dimensions, 32 queries
    float *weights, *of_weights;                   // [32, keys]
    std::byte* rows;                               // [32, keys] bfloat16
    std::byte *weights_down, *scores_down;         // right factors, [keys / 16] tiles of 32 queries
    float* sums;                                   // [32, dim]
    float *to_keys, *to_values;                    // [keys / 16, dim / 16, 16 dimensions, 16 keys]
    std::size_t bytes;
};

Parts split(std::byte* memory, std::int64_t length, std::int64_t dim) {
    const std::int64_t keys = round_up(length, kPairedRows);
    std::byte* at = memory;
    const auto take = [&](std::int64_t rows, std::int64_t columns, std::int64_t size) {
        std::byte* const found = at;
        at += rows * columns * size;
        return found;
    };
    const auto narrow = [&](std::int64_t rows, std::int64_t columns) { return take(rows, columns, 2); };
    const auto wide = [&](std::int64_t rows, std::int64_t columns) { return reinterpret_cast<float*>(take(rows, columns, 4)); };
    Parts parts{};
    parts.dim = dim;
    parts.keys = keys;
    for (std::byte** part : {&parts.keys_across, &parts.values_across, &parts.keys_down, &parts.values_down}) {
        *part = narrow(keys, dim);
    }
    for (std::byte** part : {&parts.queries, &parts.gradients, &parts.turned_queries, &parts.turned_gradients}) {
        *part = narrow(kBlock, dim);
    }
    parts.weights = wide(kBlock, keys);
    parts.of_weights = wide(kBlock, keys);
    parts.rows = narrow(kBlock, keys);
    parts.weights_down = narrow(kBlock, keys);
    parts.scores_down = narrow(kBlock, keys);
    parts.sums = wide(kBlock, dim);
    parts.to_keys = wide(keys, dim);
    parts.to_values = wide(keys, dim);
    parts.bytes = static_cast<std::size_t>(at - memory);
    return parts;
}

}  // namespace

std::size_t training_tiles_scratch(std::int64_t length, std::int64_t head_dim) {
    alignas(64) static std::byte origin[1];
    return split(origin, length, head_dim).bytes;
}

#if defined(RAG_TILES)

namespace {

using Narrows = Rows<std::uint16_t>;

// --- laying out ---

RAG_TILES void pack_across(const Narrows& from, const Parts& s, std::byte* to) {
    for (std::int64_t key = 0; key < s.keys; key += kTileRows) {
        for (std::int64_t column = 0; column < s.dim; column += kPairs, to += kTileBytes) {
            pack_key_tile(from, key, column, to);
        }
    }
}

RAG_TILES void pack_down(const Narrows& from, const Parts& s, std::byte* to) {
    for (std::int64_t key = 0; key < s.keys; key += kPairs) {
        for (std::int64_t column = 0; column < s.dim; column += kTileRows, to += kTileBytes) {
            pack_value_tile(from, key, column, to);
        }
    }
}

// 32 rows from `first` on as a left factor.
RAG_TILES void pack_rows(const Narrows& from, std::int64_t first, std::int64_t dim, std::byte* to) {
    for (std::int64_t half = 0; half < kBlock; half += kTileRows) {
        for (std::int64_t column = 0; column < dim; column += kPairs, to += kTileBytes) {
            for (std::int64_t r = 0; r < kTileRows; ++r) {
                auto* row = reinterpret_cast<__m256i*>(to + r * kTileRowBytes);
                _mm256_store_si256(row, from.at(first + half + r, column));
                _mm256_store_si256(row + 1, from.at(first + half + r, column + kTileRows));
            }
        }
    }
}

// The same rows as a left factor of which the rows are dimensions: a right factor's tile, its pairs turned.
RAG_TILES void pack_turned(const Narrows& from, std::int64_t first, std::int64_t dim, std::byte* to) {
    alignas(64) std::byte tile[kTileBytes];
    for (std::int64_t column = 0; column < dim; column += kTileRows, to += kTileBytes) {
        pack_value_tile(from, first, column, tile);
        __m512i rows[kTileRows];
        for (std::int64_t r = 0; r < kTileRows; ++r) {
            rows[r] = _mm512_load_si512(tile + r * kTileRowBytes);
        }
        turn(rows);
        for (std::int64_t r = 0; r < kTileRows; ++r) {
            _mm512_store_si512(to + r * kTileRowBytes, rows[r]);
        }
    }
}

// Sums [keys / 16, dim / 16, 16 dimensions, 16 keys] to rows.
RAG_TILES void write_turned(const float* sums, const ShortText& text, std::uint16_t* to) {
    const __m512i steps =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32(16));
    for (std::int64_t key = 0; key < text.length; ++key, to += text.key_step) {
        const float* from = sums + key / kTileRows * kTileRows * text.head_dim + key % kTileRows;
        for (std::int64_t column = 0; column < text.head_dim; column += kTileRows) {
            const __m512 values = _mm512_i32gather_ps(steps, from + column * kTileRows, 4);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + column), narrow(values));
        }
    }
}

// --- products ---

// The keys [begin, end), whole pairs of tiles, that some query of a block sees.
struct KeyRange {
    std::int64_t begin, end;
    std::int64_t width() const { return end - begin; }
};

RAG_TILES inline void multiply(TileWay way, const BlockFactors& factors, bool add, const BlockSums& sums) {
    multiply_block<TileNumbers::kBFloat16>(way, factors, {}, add, sums);
}

// out [32, keys] in the columns of `range` = a block's rows times keys or values.
RAG_TILES void multiply_across(TileWay way, const Parts& s, const std::byte* rows, const std::byte* across, KeyRange range,
                               float* out) {
    const std::int64_t chunks = s.dim / kPairs;
    const std::size_t half = static_cast<std::size_t>(chunks) * kTileBytes;
    for (std::int64_t key = range.begin; key < range.end; key += kPairedRows) {
        const std::byte* right = across + static_cast<std::size_t>(key / kTileRows) * half;
        multiply(way, {{rows, rows + half}, kTileRowBytes, kTileBytes, {right, right + half}, kTileBytes, chunks}, false,
                 sums_at(out + key, s.keys));
    }
}

// sums [32, dim] = s.rows times keys or values.
RAG_TILES void multiply_down(TileWay way, const Parts& s, const std::byte* down, KeyRange range) {
    const auto row = static_cast<std::size_t>(s.keys) * 2;
    const std::size_t group = static_cast<std::size_t>(s.dim / kTileRows) * kTileBytes;
    const std::byte* left = s.rows + 2 * range.begin;
    const std::byte* right = down + static_cast<std::size_t>(range.begin / kPairs) * group;
    for (std::int64_t column = 0; column < s.dim; column += kPairedRows, right += 2 * kTileBytes) {
        multiply(way,
                 {{left, left + kTileRows * row}, row, 2 * kPairs, {right, right + kTileBytes}, group, range.width() / kPairs},
                 false, sums_at(s.sums + column, s.dim));
    }
}

// to [keys / 16, dim / 16] tiles += what a block's queries give to the keys of `range`.
RAG_TILES void add_over_queries(TileWay way, const Parts& s, const std::byte* turned, const std::byte* down, KeyRange range,
                                float* to) {
    const std::int64_t tile = kTileRows * kTileRows;  // sums
    for (std::int64_t key = range.begin; key < range.end; key += kPairedRows) {
        const std::byte* right = down + static_cast<std::size_t>(key / kTileRows) * kTileBytes;
        for (std::int64_t column = 0; column < s.dim; column += kPairedRows) {
            const std::byte* left = turned + static_cast<std::size_t>(column / kTileRows) * kTileBytes;
            float* first = to + key * s.dim + column * kTileRows;
            float* second = first + kTileRows * s.dim;
            multiply(way, {{left, left + kTileBytes}, kTileRowBytes, 0, {right, right + kTileBytes}, 0, 1}, true,
                     {{{first, second}, {first + tile, second + tile}}, kTileRowBytes});
        }
    }
}

// --- rows of a block ---

// The keys that query i sees; none for queries behind the last.
KeyRange seen_by(const ShortText& text, std::int64_t i) {
    if (i >= text.length) {
        return {0, 0};
    }
    return {text.before < 0 ? 0 : std::max<std::int64_t>(0, i - text.before),
            text.after < 0 ? text.length : std::min(text.length, i + text.after + 1)};
}

KeyRange seen_by_block(const ShortText& text, std::int64_t first) {
    const std::int64_t last = std::min(first + kBlock, text.length) - 1;
    return {seen_by(text, first).begin / kPairedRows * kPairedRows, round_up(seen_by(text, last).end, kPairedRows)};
}

// The softmax of a row of scores * scale over what is seen, 0 elsewhere in `range`, in place.
RAG_TILES void weigh(float* row, KeyRange range, KeyRange seen, float scale) {
    if (seen.begin >= seen.end) {
        std::fill(row + range.begin, row + range.end, 0.0F);
        return;
    }
    std::fill(row + range.begin, row + seen.begin, -1e30F);
    std::fill(row + seen.end, row + range.end, -1e30F);
    __m512 most = _mm512_set1_ps(-1e30F);
    const __m512 factor = _mm512_set1_ps(scale * 1.44269504088896341F);
    for (std::int64_t key = range.begin; key < range.end; key += kTileRows) {
        most = _mm512_max_ps(most, _mm512_load_ps(row + key));
    }
    const __m512 shift = _mm512_mul_ps(_mm512_set1_ps(_mm512_reduce_max_ps(most)), factor);
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t key = range.begin; key < range.end; key += kTileRows) {
        const __m512 weight = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(row + key), factor, shift));
        sum = _mm512_add_ps(sum, weight);
        _mm512_store_ps(row + key, weight);
    }
    const __m512 share = _mm512_set1_ps(1.0F / _mm512_reduce_add_ps(sum));
    for (std::int64_t key = range.begin; key < range.end; key += kTileRows) {
        _mm512_store_ps(row + key, _mm512_mul_ps(_mm512_load_ps(row + key), share));
    }
}

// 16 numbers of two rows: as bfloat16 side by side for a right factor.
RAG_TILES __m512i paired(__m256i even, __m256i odd) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
}

// Two rows of numbers to where a product over queries reads them, and to s.rows where `flat`.
RAG_TILES void narrow_pair(const Parts& s, const float* even, std::int64_t row, KeyRange range, bool flat, std::byte* down) {
    const float* odd = even + s.keys;
    std::byte* to = s.rows + static_cast<std::size_t>(row * s.keys) * 2;
    for (std::int64_t key = range.begin; key < range.end; key += kTileRows) {
        const __m256i upper = narrow(_mm512_load_ps(even + key));
        const __m256i lower = narrow(_mm512_load_ps(odd + key));
        if (flat) {
            _mm256_store_si256(reinterpret_cast<__m256i*>(to + 2 * key), upper);
            _mm256_store_si256(reinterpret_cast<__m256i*>(to + 2 * (s.keys + key)), lower);
        }
        _mm512_store_si512(down + key / kTileRows * static_cast<std::int64_t>(kTileBytes) + row / 2 * kTileRowBytes,
                           paired(upper, lower));
    }
}

// The gradients of weights become those of the scores: weight * (gradient - mean) * scale.
RAG_TILES void return_scores(const float* weights, KeyRange range, float scale, float* gradients) {
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t key = range.begin; key < range.end; key += kTileRows) {
        sum = _mm512_fmadd_ps(_mm512_load_ps(weights + key), _mm512_load_ps(gradients + key), sum);
    }
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum));
    const __m512 factor = _mm512_set1_ps(scale);
    for (std::int64_t key = range.begin; key < range.end; key += kTileRows) {
        const __m512 centred = _mm512_sub_ps(_mm512_load_ps(gradients + key), mean);
        const __m512 weight = _mm512_mul_ps(_mm512_load_ps(weights + key), factor);
        _mm512_store_ps(gradients + key, _mm512_mul_ps(weight, centred));
    }
}

RAG_TILES void write_sums(const Parts& s, std::int64_t count, std::int64_t step, std::uint16_t* to) {
    for (std::int64_t r = 0; r < count; ++r, to += step) {
        for (std::int64_t column = 0; column < s.dim; column += kTileRows) {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + column), narrow(_mm512_load_ps(s.sums + r * s.dim + column)));
        }
    }
}

// s.weights of the queries from `first` on.
RAG_TILES void weigh_block(TileWay way, const ShortText& text, const Parts& s, const Narrows& queries, std::int64_t first,
                           KeyRange range) {
    pack_rows(queries, first, s.dim, s.queries);
    multiply_across(way, s, s.queries, s.keys_across, range, s.weights);
    for (std::int64_t r = 0; r < kBlock; ++r) {
        weigh(s.weights + r * s.keys, range, seen_by(text, first + r), text.scale);
    }
}

RAG_TILES void attend_block(TileWay way, const ShortText& text, const Parts& s, const Narrows& queries, std::int64_t first,
                            std::uint16_t* out) {
    const KeyRange range = seen_by_block(text, first);
    weigh_block(way, text, s, queries, first, range);
    for (std::int64_t r = 0; r < kBlock; ++r) {
        for (std::int64_t key = range.begin; key < range.end; key += kTileRows) {
            _mm256_store_si256(reinterpret_cast<__m256i*>(s.rows + 2 * (r * s.keys + key)),
                               narrow(_mm512_load_ps(s.weights + r * s.keys + key)));
        }
    }
    multiply_down(way, s, s.values_down, range);
    write_sums(s, std::min(kBlock, text.length - first), text.query_step, out + first * text.query_step);
}

RAG_TILES void return_block(TileWay way, const ShortText& text, const Parts& s, const Narrows& queries, const Narrows& gradients,
                            std::int64_t first, std::uint16_t* to_q) {
    const KeyRange range = seen_by_block(text, first);
    weigh_block(way, text, s, queries, first, range);
    pack_rows(gradients, first, s.dim, s.gradients);
    pack_turned(queries, first, s.dim, s.turned_queries);
    pack_turned(gradients, first, s.dim, s.turned_gradients);
    multiply_across(way, s, s.gradients, s.values_across, range, s.of_weights);
    for (std::int64_t r = 0; r < kBlock; r += 2) {
        const float* weights = s.weights + r * s.keys;
        float* of_weights = s.of_weights + r * s.keys;
        return_scores(weights, range, text.scale, of_weights);
        return_scores(weights + s.keys, range, text.scale, of_weights + s.keys);
        narrow_pair(s, weights, r, range, false, s.weights_down);
        narrow_pair(s, of_weights, r, range, true, s.scores_down);
    }
    multiply_down(way, s, s.keys_down, range);
    write_sums(s, std::min(kBlock, text.length - first), text.query_step, to_q + first * text.query_step);
    add_over_queries(way, s, s.turned_queries, s.scores_down, range, s.to_keys);
    add_over_queries(way, s, s.turned_gradients, s.weights_down, range, s.to_values);
}

RAG_TILES void forward(const ShortText& text, const std::uint16_t* q, const std::uint16_t* k, const std::uint16_t* v,
                       std::uint16_t* out, std::byte* scratch) {
    const Parts s = split(scratch, text.length, text.head_dim);
    pack_across({k, text.key_step, text.length, nullptr}, s, s.keys_across);
    pack_down({v, text.key_step, text.length, nullptr}, s, s.values_down);
    const TileUse use;
    for (std::int64_t head = 0; head < text.shared_by; ++head, q += s.dim, out += s.dim) {
        for (std::int64_t first = 0; first < text.length; first += kBlock) {
            attend_block(use.way(), text, s, {q, text.query_step, text.length, nullptr}, first, out);
        }
    }
}

RAG_TILES void backward(const ShortText& text, const TileGradients& numbers, std::byte* scratch) {
    const Parts s = split(scratch, text.length, text.head_dim);
    const Narrows keys{numbers.k, text.key_step, text.length, nullptr};
    pack_across(keys, s, s.keys_across);
    pack_down(keys, s, s.keys_down);
    pack_across({numbers.v, text.key_step, text.length, nullptr}, s, s.values_across);
    std::fill_n(s.to_keys, s.keys * s.dim, 0.0F);
    std::fill_n(s.to_values, s.keys * s.dim, 0.0F);
    const TileUse use;
    for (std::int64_t head = 0; head < text.shared_by; ++head) {
        const Narrows queries{numbers.q + head * s.dim, text.query_step, text.length, nullptr};
        const Narrows gradients{numbers.gradient + head * s.dim, text.query_step, text.length, nullptr};
        for (std::int64_t first = 0; first < text.length; first += kBlock) {
            return_block(use.way(), text, s, queries, gradients, first, numbers.to_q + head * s.dim);
        }
    }
    write_turned(s.to_keys, text, numbers.to_k);
    write_turned(s.to_values, text, numbers.to_v);
}

}  // namespace

void tile_attention_forward(const ShortText& text, const std::uint16_t* q, const std::uint16_t* k, const std::uint16_t* v,
                            std::uint16_t* out, std::byte* scratch) {
    forward(text, q, k, v, out, scratch);
}

void tile_attention_backward(const ShortText& text, const TileGradients& numbers, std::byte* scratch) {
    backward(text, numbers, scratch);
}

#else

void tile_attention_forward(const ShortText&, const std::uint16_t*, const std::uint16_t*, const std::uint16_t*, std::uint16_t*,
                            std::byte*) {}
void tile_attention_backward(const ShortText&, const TileGradients&, std::byte*) {}

#endif

}  // namespace rag::core::libtorch::kernels
