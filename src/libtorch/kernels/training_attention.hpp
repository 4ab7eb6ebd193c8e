// Attention of one short text on the way forward and back, in float32: softmax(q k^T * scale) v and its gradients, weights
// computed again on the way back, so that nothing is kept (Dao et al. 2022, https://arxiv.org/abs/2205.14135, of one block). For
// texts so short that LibTorch's operator spends its time on starting products; it also keeps a compiled product of every length.
// Thread rule: pure functions.
#pragma once

#include <cstdint>

#include "libtorch/kernels/training_rows.hpp"

namespace rag::core::libtorch::kernels {

/// One head of keys and values of one text, and the query heads that share it, which lie side by side.
struct ShortText {
    std::int64_t length = 0, head_dim = 0;
    std::int64_t shared_by = 1;                 // query heads
    std::int64_t query_step = 0, key_step = 0;  // numbers from a row to the next, of queries (and outputs), of keys and values
    float scale = 1.0F;
    std::int64_t before = -1, after = -1;  // tokens that are seen on either side; -1: all
};

/// Numbers of scratch memory that both functions need.
std::int64_t short_attention_scratch(std::int64_t length, std::int64_t head_dim);

/// q, k, v, out: the first numbers of the head (of the first of the query heads) in the text's first row, all of one type.
void short_attention_forward(const ShortText& text, ConstNarrow q, ConstNarrow k, ConstNarrow v, Narrow out, float* scratch);
/// gradient: of out. Those of q, k and v are written, not added.
void short_attention_backward(const ShortText& text, ConstNarrow gradient, ConstNarrow q, ConstNarrow k, ConstNarrow v,
                              Narrow to_q, Narrow to_k, Narrow to_v, float* scratch);

}  // namespace rag::core::libtorch::kernels
