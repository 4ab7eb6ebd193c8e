// Scaled dot-product attention with online softmax (Milakov & Gimelshein 2018, https://arxiv.org/abs/1805.02867; blocked over
// keys as in FlashAttention) for heads as they lie in packed rows or in a cache: no padding, no copies of keys and values.
// Queries lie along the vector lanes, so that keys and values need no transposing and the softmax no sums across lanes. Over
// Google Highway. Thread rule: pure functions; the caller spreads blocks over threads.
#pragma once

#include <cstdint>

#include "libtorch/kernels/number_type.hpp"

namespace rag::core::libtorch::kernels {

/// For AttentionHead::before and after: no limit.
constexpr std::int64_t kEveryKey = std::int64_t{1} << 40;

/// The queries that share one head of keys and values. Position i stands at key past + i and sees the keys from `before` before
/// its own to `after` behind it, as far as there are any.
struct AttentionHead {
    const float* queries = nullptr;  // query head g of position i at queries + i * query_stride + g * head_dim
    std::int64_t query_stride = 0;
    std::int64_t positions = 0;
    std::int64_t group = 1;  // query heads that share the keys
    NumberType key_type = NumberType::kFloat32;
    const void* keys = nullptr;    // key j at element j * key_stride
    const void* values = nullptr;  // the same stride
    std::int64_t key_stride = 0;
    const float* key_scales = nullptr;  // of kInt8: [key_count]
    const float* value_scales = nullptr;
    std::int64_t key_count = 0;
    std::int64_t head_dim = 0;
    std::int64_t past = 0;
    std::int64_t before = kEveryKey;
    std::int64_t after = kEveryKey;
    float scale = 0.0F;                    // of the products of queries and keys
    float softcap = 0.0F;                  // above 0: a score s becomes softcap * tanh(s / softcap)
    const float* distance_bias = nullptr;  // not null: distance_bias[j - i] is added to the score of places i and j
    float* out = nullptr;                  // laid out as queries, with out_stride
    std::int64_t out_stride = 0;
};

/// Query rows (positions * group) that one call of attend_block computes.
std::int64_t attention_block_rows();
/// Floats of scratch memory, aligned to 64 bytes, that a call needs.
std::int64_t attention_scratch(std::int64_t head_dim);
/// Computes rows block * attention_block_rows() and on. A few rows (a decoding step) go another way, whose time is that of
/// reading the keys and values once.
void attend_block(const AttentionHead& head, std::int64_t block, float* scratch);

}  // namespace rag::core::libtorch::kernels
