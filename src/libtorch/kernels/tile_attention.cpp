#include "libtorch/kernels/tile_attention.hpp"

#include <algorithm>

#include "libtorch/kernels/tile_blocks.hpp"
#include "libtorch/kernels/tile_layout.hpp"

namespace rag::core::libtorch::kernels {
namespace {

constexpr std::int64_t kBlockKeys = 512;  // keys between two corrections of the softmax: their scores stay near the core

// Where the parts lie in the scratch memory.
struct Parts {
    std::byte* queries;  // [2, head_dim / 32] tiles of 16 queries
    float* scores;       // [32, kBlockKeys]
    std::byte* weights;  // [32, kBlockKeys] bfloat16
    float* sums;         // [32, head_dim]
    std::size_t bytes;
};

Parts split(std::byte* memory, std::int64_t head_dim) {
    const auto columns = static_cast<std::size_t>(head_dim);
    Parts parts{};
    std::byte* at = memory;
    parts.queries = at;
    at += kTileBlockRows * columns * 2;
    parts.scores = reinterpret_cast<float*>(at);
    at += kTileBlockRows * kBlockKeys * 4;
    parts.weights = at;
    at += kTileBlockRows * kBlockKeys * 2;
    parts.sums = reinterpret_cast<float*>(at);
    at += kTileBlockRows * columns * 4;
    parts.bytes = static_cast<std::size_t>(at - memory);
    return parts;
}

// Keys and values lie side by side, kTileKeys at a time:
// keys     [2, head_dim / 32] tiles: row r holds dimensions 2r and 2r + 1 of 16 keys
// values   [head_dim / 16] tiles: row r holds keys 2r and 2r + 1 in 16 dimensions
std::size_t group_bytes(std::int64_t head_dim) {
    return static_cast<std::size_t>(kTileKeys * head_dim) * 4;
}

}  // namespace

bool fits_tiles(const AttentionHead& head) {
    return head.head_dim % kPairs == 0 && head.distance_bias == nullptr && head.key_type != NumberType::kFloat16;
}

std::size_t packed_keys_bytes(std::int64_t key_count, std::int64_t head_dim) {
    return static_cast<std::size_t>(round_up(key_count, kTileKeys) / kTileKeys) * group_bytes(head_dim);
}

std::size_t tile_scratch(std::int64_t head_dim) {
    alignas(64) static std::byte origin[1];
    return split(origin, head_dim).bytes;
}

#if defined(RAG_TILES)

namespace {

// --- laying out ---

template <typename T>
RAG_TILES void pack(const AttentionHead& head, std::int64_t first, std::int64_t count, std::byte* to) {
    const Rows<T> keys{static_cast<const T*>(head.keys), head.key_stride, head.key_count, head.key_scales};
    const Rows<T> values{static_cast<const T*>(head.values), head.key_stride, head.key_count, head.value_scales};
    for (std::int64_t key = first; key < first + count; key += kTileKeys) {
        for (std::int64_t half = 0; half < 2; ++half) {
            for (std::int64_t column = 0; column < head.head_dim; column += kPairs, to += kTileBytes) {
                pack_key_tile(keys, key + half * kTileRows, column, to);
            }
        }
        for (std::int64_t column = 0; column < head.head_dim; column += kTileRows, to += kTileBytes) {
            pack_value_tile(values, key, column, to);
        }
    }
}

// --- the rows of a block ---

struct KeyRange {
    std::int64_t begin;
    std::int64_t end;
};

struct Block {
    const AttentionHead& head;
    Parts parts;
    std::int64_t first;  // row
    std::int64_t count;  // rows, at most kTileBlockRows
    float most[kTileBlockRows];
    float total[kTileBlockRows];

    // The keys that row i of the block sees; both ends grow with the row.
    KeyRange visible(std::int64_t i) const {
        const std::int64_t own = head.past + (first + i) / head.group;
        return {std::max<std::int64_t>(own - head.before, 0), std::min(own + head.after + 1, head.key_count)};
    }
    std::int64_t row_at(std::int64_t i, std::int64_t stride) const {
        return (first + i) / head.group * stride + (first + i) % head.group * head.head_dim;
    }
};

RAG_TILES void pack_queries(const Block& block) {
    // The softmax is computed with powers of two; a capped score gets its factor behind the cap.
    const AttentionHead& head = block.head;
    const __m512 factor = _mm512_set1_ps(head.scale * (head.softcap > 0.0F ? 1.0F : 1.44269504088896341F));
    std::byte* to = block.parts.queries;
    for (std::int64_t half = 0; half < 2; ++half) {
        for (std::int64_t column = 0; column < head.head_dim; column += kPairs, to += kTileBytes) {
            for (std::int64_t r = 0; r < kTileRows; ++r) {
                const std::int64_t i = half * kTileRows + r;
                __m512i row = _mm512_setzero_si512();
                if (i < block.count) {
                    const float* from = head.queries + block.row_at(i, head.query_stride) + column;
                    row = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(_mm512_mul_ps(_mm512_loadu_ps(from + 16), factor),
                                                                        _mm512_mul_ps(_mm512_loadu_ps(from), factor)));
                }
                _mm512_store_si512(to + r * 64, row);
            }
        }
    }
}

// scores[32, kBlockKeys] = queries * keys^T in the first `width` columns
RAG_TILES void multiply_scores(TileWay way, const Block& block, const std::byte* packed, std::int64_t width) {
    const Parts& parts = block.parts;
    const std::int64_t chunks = block.head.head_dim / kPairs;
    const std::size_t half = static_cast<std::size_t>(chunks) * kTileBytes;
    for (std::int64_t key = 0; key < width; key += kTileKeys, packed += group_bytes(block.head.head_dim)) {
        multiply_block<TileNumbers::kBFloat16>(
            way, {{parts.queries, parts.queries + half}, kTileRowBytes, kTileBytes, {packed, packed + half}, kTileBytes, chunks},
            BlockRows::first(block.count), false, sums_at(parts.scores + key, kBlockKeys));
    }
}

// cap * tanh(score / cap), in powers of two: tanh(x) = 1 - 2 / (e^2x + 1).
RAG_TILES void cap_row(float* scores, std::int64_t width, float cap) {
    constexpr float kLog2e = 1.44269504088896341F;
    const __m512 inner = _mm512_set1_ps(2.0F * kLog2e / cap);
    const __m512 outer = _mm512_set1_ps(cap * kLog2e);
    const __m512 one = _mm512_set1_ps(1.0F);
    for (std::int64_t i = 0; i < width; i += 16) {
        const __m512 e = power_of_two(_mm512_mul_ps(_mm512_load_ps(scores + i), inner));
        const __m512 tanh = _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0F), _mm512_add_ps(e, one)));
        _mm512_store_ps(scores + i, _mm512_mul_ps(tanh, outer));
    }
}

// One row of scores [width] of which `visible` count, to weights [width] in bfloat16, zeros elsewhere; brings the row's largest
// score, total and sums to what they are with these keys.
RAG_TILES void softmax_row(const Block& block, std::int64_t i, KeyRange visible, std::int64_t width, float& most, float& total) {
    float* scores = block.parts.scores + i * kBlockKeys;
    std::byte* weights = block.parts.weights + i * kBlockKeys * 2;
    if (visible.begin >= visible.end) {
        std::fill_n(weights, static_cast<std::size_t>(width) * 2, std::byte{0});
        return;
    }
    if (block.head.softcap > 0.0F) {
        cap_row(scores, width, block.head.softcap);
    }
    std::fill(scores, scores + visible.begin, -1e30F);
    std::fill(scores + visible.end, scores + width, -1e30F);
    __m512 largest = _mm512_set1_ps(most);
    for (std::int64_t k = 0; k < width; k += 16) {
        largest = _mm512_max_ps(largest, _mm512_load_ps(scores + k));
    }
    const float after = _mm512_reduce_max_ps(largest);
    if (after > most) {
        const __m512 correction = power_of_two(_mm512_set1_ps(most - after));
        total *= _mm512_cvtss_f32(correction);
        most = after;
        float* sums = block.parts.sums + i * block.head.head_dim;
        for (std::int64_t c = 0; c < block.head.head_dim; c += 16) {
            _mm512_store_ps(sums + c, _mm512_mul_ps(_mm512_load_ps(sums + c), correction));
        }
    }
    const __m512 shift = _mm512_set1_ps(most);
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < width; k += kPairs) {
        const __m512 low = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + k), shift));
        const __m512 high = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + k + 16), shift));
        sum = _mm512_add_ps(sum, _mm512_add_ps(low, high));
        _mm512_store_si512(weights + 2 * k, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
    total += _mm512_reduce_add_ps(sum);
}

// sums[32, head_dim] += weights * values
RAG_TILES void multiply_values(TileWay way, const Block& block, const std::byte* packed, std::int64_t width) {
    const Parts& parts = block.parts;
    const std::int64_t head_dim = block.head.head_dim;
    constexpr std::size_t kRowBytes = kBlockKeys * 2;
    const std::byte* values = packed + static_cast<std::size_t>(kTileKeys * head_dim) * 2;
    for (std::int64_t column = 0; column < head_dim; column += kPairs, values += 2 * kTileBytes) {
        multiply_block<TileNumbers::kBFloat16>(way,
                                               {{parts.weights, parts.weights + kTileRows * kRowBytes},
                                                kRowBytes,
                                                kPairs * 2,
                                                {values, values + kTileBytes},
                                                group_bytes(head_dim),
                                                width / kTileKeys},
                                               BlockRows::first(block.count), true, sums_at(parts.sums + column, head_dim));
    }
}

RAG_TILES void attend_keys(TileWay way, Block& block, const std::byte* packed, std::int64_t first, std::int64_t width) {
    const std::byte* group = packed + static_cast<std::size_t>(first / kTileKeys) * group_bytes(block.head.head_dim);
    multiply_scores(way, block, group, width);
    for (std::int64_t i = 0; i < block.count; ++i) {
        const KeyRange all = block.visible(i);
        const KeyRange visible = {std::clamp<std::int64_t>(all.begin - first, 0, width),
                                  std::clamp<std::int64_t>(all.end - first, 0, width)};
        softmax_row(block, i, visible, width, block.most[i], block.total[i]);
    }
    multiply_values(way, block, group, width);
}

RAG_TILES void store_rows(const Block& block) {
    const AttentionHead& head = block.head;
    for (std::int64_t i = 0; i < block.count; ++i) {
        const __m512 inverse = _mm512_set1_ps(1.0F / block.total[i]);
        float* to = head.out + block.row_at(i, head.out_stride);
        const float* sums = block.parts.sums + i * head.head_dim;
        for (std::int64_t c = 0; c < head.head_dim; c += 16) {
            _mm512_storeu_ps(to + c, _mm512_mul_ps(_mm512_load_ps(sums + c), inverse));
        }
    }
}

RAG_TILES void attend(Block& block, const std::byte* packed) {
    const TileUse use;
    pack_queries(block);
    std::fill_n(block.parts.sums, kTileBlockRows * block.head.head_dim, 0.0F);
    const std::int64_t end = round_up(block.visible(block.count - 1).end, kTileKeys);
    for (std::int64_t first = block.visible(0).begin / kTileKeys * kTileKeys; first < end; first += kBlockKeys) {
        attend_keys(use.way(), block, packed, first, std::min(kBlockKeys, end - first));
    }
    store_rows(block);
}

}  // namespace

void pack_keys(const AttentionHead& head, std::int64_t first, std::int64_t count, std::byte* packed) {
    std::byte* to = packed + static_cast<std::size_t>(first / kTileKeys) * group_bytes(head.head_dim);
    switch (head.key_type) {
        case NumberType::kFloat32:
            return pack<float>(head, first, count, to);
        case NumberType::kBFloat16:
            return pack<std::uint16_t>(head, first, count, to);
        case NumberType::kInt8:
            return pack<std::int8_t>(head, first, count, to);
        case NumberType::kFloat16:
            break;  // see fits_tiles
    }
}

void attend_tiles(const AttentionHead& head, const std::byte* packed, std::int64_t block, std::byte* scratch) {
    const std::int64_t first = block * kTileBlockRows;
    Block rows{head, split(scratch, head.head_dim), first, std::min(kTileBlockRows, head.positions * head.group - first), {}, {}};
    std::fill_n(rows.most, kTileBlockRows, -1e30F);
    attend(rows, packed);
}

#else

void pack_keys(const AttentionHead&, std::int64_t, std::int64_t, std::byte*) {}
void attend_tiles(const AttentionHead&, const std::byte*, std::int64_t, std::byte*) {}

#endif

}  // namespace rag::core::libtorch::kernels
