#include "libtorch/kernels/tile_attention.hpp"

#include <algorithm>

#include "libtorch/kernels/tile_blocks.hpp"
#include "libtorch/kernels/tile_layout.hpp"

namespace rag::core::libtorch::kernels {
namespace {

constexpr std::int64_t kBlockKeys = 512;  // keys between two corrections of the softmax: their scores stay near the core
// Rows that vectors take through all their keys before the next: as many as a product's sums have registers for, so that scores
// and weights lie in the nearest cache beside the keys.
constexpr std::int64_t kVectorRows = 8;
constexpr float kUnseen = -1e30F;  // the score of what a row does not see

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

// Some rows of a head; parts hold what is computed of them.
struct Block {
    const AttentionHead& head;
    Parts parts;
    std::int64_t first;  // row
    std::int64_t count;  // rows, at most kTileBlockRows

    // The keys that row i of the block sees; both ends grow with the row.
    KeyRange visible(std::int64_t i) const {
        const std::int64_t own = head.past + (first + i) / head.group;
        return {std::max<std::int64_t>(own - head.before, 0), std::min(own + head.after + 1, head.key_count)};
    }
    std::int64_t row_at(std::int64_t i, std::int64_t stride) const {
        return (first + i) / head.group * stride + (first + i) % head.group * head.head_dim;
    }
};

// The softmax of each row so far.
struct Softmax {
    float most[kTileBlockRows];  // the largest score
    float total[kTileBlockRows];
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

// What a row [width] does not see gets a score that weighs nothing.
RAG_TILES inline void hide(float* scores, KeyRange visible, std::int64_t width) {
    const __m512 unseen = _mm512_set1_ps(kUnseen);
    const auto first = [](std::int64_t lanes) { return static_cast<__mmask16>((1U << std::min<std::int64_t>(lanes, 16)) - 1U); };
    // Whole vectors, since they are read as such.
    for (std::int64_t k = 0; k < visible.begin; k += 16) {
        _mm512_store_ps(scores + k, _mm512_mask_mov_ps(_mm512_load_ps(scores + k), first(visible.begin - k), unseen));
    }
    for (std::int64_t k = visible.end / 16 * 16; k < width; k += 16) {
        const __mmask16 seen = first(std::max<std::int64_t>(visible.end - k, 0));
        _mm512_store_ps(scores + k, _mm512_mask_mov_ps(unseen, seen, _mm512_load_ps(scores + k)));
    }
}

RAG_TILES inline float largest_of(const float* scores, std::int64_t width, float most) {
    __m512 even = _mm512_set1_ps(most);
    __m512 odd = even;
    for (std::int64_t k = 0; k < width; k += kPairs) {
        even = _mm512_max_ps(even, _mm512_load_ps(scores + k));
        odd = _mm512_max_ps(odd, _mm512_load_ps(scores + k + 16));
    }
    return _mm512_reduce_max_ps(_mm512_max_ps(even, odd));
}

// weights[width] = 2^(scores - most) in bfloat16; their sum, before they are rounded.
RAG_TILES inline float weigh(const float* scores, std::int64_t width, float most, std::byte* weights) {
    const __m512 shift = _mm512_set1_ps(most);
    __m512 sum = _mm512_setzero_ps();
    for (std::int64_t k = 0; k < width; k += kPairs) {
        const __m512 low = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + k), shift));
        const __m512 high = power_of_two(_mm512_sub_ps(_mm512_load_ps(scores + k + 16), shift));
        sum = _mm512_add_ps(sum, _mm512_add_ps(low, high));
        _mm512_store_si512(weights + 2 * k, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
    }
    return _mm512_reduce_add_ps(sum);
}

// Brings a row's total and sums to a larger score.
RAG_TILES inline void correct(const Block& block, std::int64_t i, float from, float to, float& total) {
    const __m512 correction = power_of_two(_mm512_set1_ps(from - to));
    total *= _mm512_cvtss_f32(correction);
    float* sums = block.parts.sums + i * block.head.head_dim;
    for (std::int64_t c = 0; c < block.head.head_dim; c += 16) {
        _mm512_store_ps(sums + c, _mm512_mul_ps(_mm512_load_ps(sums + c), correction));
    }
}

// Scores of keys first .. first + width to weights in bfloat16, zeros for what a row does not see. Step by step for all rows: the
// steps of one row wait for each other, those of several do not.
RAG_TILES void weigh_rows(const Block& block, std::int64_t first, std::int64_t width, bool begun, Softmax& softmax) {
    float most[kTileBlockRows];
    for (std::int64_t i = 0; i < block.count; ++i) {
        const KeyRange all = block.visible(i);
        const KeyRange visible = {std::clamp<std::int64_t>(all.begin - first, 0, width),
                                  std::clamp<std::int64_t>(all.end - first, 0, width)};
        float* scores = block.parts.scores + i * kBlockKeys;
        if (block.head.softcap > 0.0F) {
            cap_row(scores, width, block.head.softcap);
        }
        hide(scores, visible, width);
        most[i] = largest_of(scores, width, softmax.most[i]);
    }
    for (std::int64_t i = 0; i < block.count; ++i) {
        if (begun && most[i] > softmax.most[i]) {
            correct(block, i, softmax.most[i], most[i], softmax.total[i]);
        }
        softmax.most[i] = most[i];
        std::byte* weights = block.parts.weights + i * kBlockKeys * 2;
        if (most[i] <= kUnseen) {
            std::fill_n(weights, static_cast<std::size_t>(width) * 2, std::byte{0});
            continue;
        }
        softmax.total[i] += weigh(block.parts.scores + i * kBlockKeys, width, most[i], weights);
    }
}

// sums[32, head_dim] = weights * values, or with `add` +=
RAG_TILES void multiply_values(TileWay way, const Block& block, const std::byte* packed, std::int64_t width, bool add) {
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
                                               BlockRows::first(block.count), add, sums_at(parts.sums + column, head_dim));
    }
}

RAG_TILES void store_rows(const Block& block, const Softmax& softmax) {
    const AttentionHead& head = block.head;
    for (std::int64_t i = 0; i < block.count; ++i) {
        const __m512 inverse = _mm512_set1_ps(1.0F / softmax.total[i]);
        float* to = head.out + block.row_at(i, head.out_stride);
        const float* sums = block.parts.sums + i * head.head_dim;
        for (std::int64_t c = 0; c < head.head_dim; c += 16) {
            _mm512_storeu_ps(to + c, _mm512_mul_ps(_mm512_load_ps(sums + c), inverse));
        }
    }
}

// Rows whose queries are packed.
RAG_TILES void attend(TileWay way, const Block& block, const std::byte* packed) {
    Softmax softmax;
    std::fill_n(softmax.most, block.count, kUnseen);
    std::fill_n(softmax.total, block.count, 0.0F);
    const std::int64_t begin = block.visible(0).begin / kTileKeys * kTileKeys;
    const std::int64_t end = round_up(block.visible(block.count - 1).end, kTileKeys);
    for (std::int64_t first = begin; first < end; first += kBlockKeys) {
        const std::int64_t width = std::min(kBlockKeys, end - first);
        const std::byte* group = packed + static_cast<std::size_t>(first / kTileKeys) * group_bytes(block.head.head_dim);
        multiply_scores(way, block, group, width);
        weigh_rows(block, first, width, first > begin, softmax);
        multiply_values(way, block, group, width, first > begin);
    }
    store_rows(block, softmax);
}

RAG_TILES void attend_block(const Block& block, const std::byte* packed) {
    const TileUse use;
    pack_queries(block);
    if (use.way() == TileWay::kMatrix) {
        return attend(use.way(), block, packed);
    }
    const std::size_t half = static_cast<std::size_t>(kTileRows * block.head.head_dim) * 2;
    for (std::int64_t row = 0; row < block.count; row += kVectorRows) {
        Block some = block;
        some.first += row;
        some.count = std::min(kVectorRows, block.count - row);
        some.parts.queries +=
            static_cast<std::size_t>(row / kTileRows) * half + static_cast<std::size_t>(row % kTileRows) * kTileRowBytes;
        attend(use.way(), some, packed);
    }
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
    attend_block({head, split(scratch, head.head_dim), first, std::min(kTileBlockRows, head.positions * head.group - first)},
                 packed);
}

#else

void pack_keys(const AttentionHead&, std::int64_t, std::int64_t, std::byte*) {}
void attend_tiles(const AttentionHead&, const std::byte*, std::int64_t, std::byte*) {}

#endif

}  // namespace rag::core::libtorch::kernels
