// Keys and values of one sequence, for every layer one contiguous piece [kv_heads, capacity, head_dim]. Capacity doubles as
// needed up to the model's context, so that appending does not move what is there. Thread rule: on the model's worker.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

class KvCache {
  public:
    KvCache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t context_length, at::ScalarType type);

    /// Room for `length` positions in all layers, the first `used` kept. Nothing is changed if memory runs out.
    void reserve(std::int64_t length, std::int64_t used);

    /// [kv_heads, capacity, head_dim]; positions from the sequence's length on hold nothing of meaning.
    const at::Tensor& keys(std::size_t layer) const { return keys_[layer]; }
    const at::Tensor& values(std::size_t layer) const { return values_[layer]; }

  private:
    std::int64_t kv_heads_;
    std::int64_t head_dim_;
    std::int64_t context_length_;
    at::ScalarType type_;
    std::int64_t capacity_ = 0;
    std::vector<at::Tensor> keys_;
    std::vector<at::Tensor> values_;
};

}  // namespace rag::core::libtorch
