// Attention within each of several packed texts, with gradients: by tiles where the processor has them, else short texts
// by a kernel of our own and longer ones by LibTorch's flash attention for the CPU (Dao et al. 2022,
// https://arxiv.org/abs/2205.14135), those of one length that follow one another together. On the way back that operator starts
// a product of oneDNN's for every block, which takes longer than computing it: with tiles a step of SmolLM2 on conversations
// takes two thirds of the time. Scores with a cap or with a bias that is trained go through plain products. Thread rule: on the
// trainer's worker.
#pragma once

#include "libtorch/train/parameter.hpp"

namespace rag::core::libtorch {

struct TrainedAttention {
    std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
    double scale = 1.0;
    bool causal = false;
    std::int64_t before = -1, after = -1;  // tokens that are seen on either side; -1: all
    double softcap = 0.0;
    /// [longest * 2 - 1, heads], part of the graph: added to the score of key j and query i from row longest - 1 + j - i.
    /// Undefined: none.
    at::Tensor distance_bias;
};

/// q: [rows, heads * head_dim], k and v: [rows, kv_heads * head_dim], in the products' type -> [rows, heads * head_dim].
at::Tensor attend_packed(const TrainedAttention& shape, std::span<const std::int64_t> offsets, const at::Tensor& q,
                         const at::Tensor& k, const at::Tensor& v);

}  // namespace rag::core::libtorch
