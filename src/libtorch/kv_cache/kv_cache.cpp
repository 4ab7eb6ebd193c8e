#include "libtorch/kv_cache/kv_cache.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kFirstCapacity = 256;

}  // namespace

KvCache::KvCache(std::int64_t layers, std::int64_t kv_heads, std::int64_t head_dim, std::int64_t context_length,
                 at::ScalarType type)
    : kv_heads_(kv_heads),
      head_dim_(head_dim),
      context_length_(context_length),
      type_(type),
      keys_(static_cast<std::size_t>(layers)),
      values_(static_cast<std::size_t>(layers)) {}

void KvCache::reserve(std::int64_t length, std::int64_t used) {
    if (length <= capacity_) {
        return;
    }
    const std::int64_t capacity = std::min(context_length_, std::max({length, 2 * capacity_, kFirstCapacity}));
    auto grown = [&](const std::vector<at::Tensor>& old) {
        std::vector<at::Tensor> pieces;
        for (const at::Tensor& piece : old) {
            pieces.push_back(at::empty({kv_heads_, capacity, head_dim_}, type_));
            if (used > 0) {
                pieces.back().narrow(1, 0, used).copy_(piece.narrow(1, 0, used));
            }
        }
        return pieces;
    };
    std::vector<at::Tensor> keys = grown(keys_);
    std::vector<at::Tensor> values = grown(values_);
    keys_ = std::move(keys);
    values_ = std::move(values);
    capacity_ = capacity;
}

}  // namespace rag::core::libtorch
