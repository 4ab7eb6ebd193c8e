// Scaled dot-product attention of packed rows: each sequence's queries attend to keys of their own, which lie in the same rows
// (texts) or in a cache, up to the distances that the layer allows. Queries of all sequences are computed in one go, spread over
// the threads. In: [rows, heads * head_dim] and where keys lie; out: [rows, heads * head_dim].
// Thread rule: pure functions; on the model's worker.
#pragma once

#include "libtorch/device/device.hpp"
#include "libtorch/kernels/attention.hpp"

namespace rag::core::libtorch {

/// What all sequences of a layer have in common.
struct AttentionShape {
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t head_dim = 0;
    float scale = 0.0F;                        // of the products of queries and keys
    std::int64_t before = kernels::kEveryKey;  // how many keys before its own and behind it a row sees
    std::int64_t after = kernels::kEveryKey;
    float softcap = 0.0F;  // above 0: a score s becomes softcap * tanh(s / softcap)
    /// Not empty: [heads, 2 * longest - 1], added to the scores; key j of row i takes place longest - 1 + j - i. No sequence may
    /// be longer than `longest`. Only with kv_heads = heads.
    std::span<const float> distance_bias;
    std::int64_t longest = 0;
    /// Queries, keys, values and probabilities may be rounded to bfloat16, which tiles then multiply.
    bool narrow = false;
};

/// Whether a model of this precision rounds what goes into its products anyway.
inline bool rounds_activations(Precision precision) {
    return precision != Precision::kFloat32 && precision != Precision::kFloat16;
}

/// The keys and values of one sequence: those of head h and key j at element h * head_stride + j * stride.
struct KeyView {
    at::ScalarType type = at::kFloat;
    const void* keys = nullptr;
    const void* values = nullptr;
    std::int64_t stride = 0;
    std::int64_t head_stride = 0;
    std::int64_t count = 0;
    /// Of at::kChar: key j of head h is key_scales[h * scale_stride + j] times its bytes; values likewise.
    const float* key_scales = nullptr;
    const float* value_scales = nullptr;
    std::int64_t scale_stride = 0;
    /// On a device these are read instead of the pointers: [kv_heads, count, head_dim].
    at::Tensor device_keys = {};
    at::Tensor device_values = {};
};

/// One sequence: its rows follow those of the sequence before; row i stands at key past + i.
struct AttentionRows {
    std::int64_t rows = 0;
    std::int64_t past = 0;
    KeyView keys;
};

/// queries: [rows, stride] float32 whose first heads * head_dim columns are the heads. Returns [rows, heads * head_dim].
at::Tensor attend_sequences(const at::Tensor& queries, std::span<const AttentionRows> sequences, const AttentionShape& shape);

/// Keys and values that lie behind the queries in the rows of a packed product: qkv is [rows, (heads + 2 * kv_heads) * head_dim].
KeyView keys_in_rows(const at::Tensor& qkv, std::int64_t first_row, std::int64_t rows, const AttentionShape& shape);

/// heads with keys of their own, each of head_dim dimensions, and the usual scale.
AttentionShape text_attention(std::int64_t heads, std::int64_t head_dim);

/// Every token attends to the tokens of its text. qkv: [tokens, 3 * heads * head_dim] float32, text i at rows offsets[i] ..
/// offsets[i+1] less offsets[0]. Returns [tokens, heads * head_dim].
at::Tensor attend_texts(const at::Tensor& qkv, std::span<const std::int64_t> offsets, const AttentionShape& shape);

}  // namespace rag::core::libtorch
