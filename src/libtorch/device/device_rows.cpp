#include "libtorch/device/device_rows.hpp"

#include <ATen/ops/rsqrt.h>
#include <ATen/ops/softmax.h>

#include <limits>

namespace rag::core::libtorch {
namespace {

// Scores that are there at once: 256 MiB. Queries of a long prompt go in blocks.
constexpr std::int64_t kMostScores = std::int64_t{1} << 26;

// [rows, count] int64: the place of key j seen from row first + i.
at::Tensor distances(const DeviceAttention& attention, std::int64_t first, std::int64_t rows, std::int64_t count,
                     c10::Device device) {
    const at::TensorOptions numbers = at::TensorOptions().dtype(at::kLong).device(device);
    return at::arange(count, numbers).unsqueeze(0).sub(at::arange(rows, numbers).add_(attention.past + first).unsqueeze(1));
}

// queries: [kv_heads, group * rows, head_dim], the rows of a head one after another
at::Tensor attend_block(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                        const DeviceAttention& attention, std::int64_t first, std::int64_t rows) {
    const std::int64_t kv_heads = keys.size(0), count = keys.size(1);
    at::Tensor scores = at::matmul(queries, keys.transpose(1, 2)).mul_(attention.scale).view({kv_heads, -1, rows, count});
    if (attention.softcap > 0.0F) {
        scores = scores.div_(attention.softcap).tanh_().mul_(attention.softcap);
    }
    const at::Tensor away = distances(attention, first, rows, count, queries.device());
    if (attention.distance_bias.defined()) {
        const std::int64_t middle = attention.distance_bias.size(1) / 2;
        const at::Tensor bias = at::index_select(attention.distance_bias, 1, away.add(middle).view({-1}));
        scores.add_(bias.view({kv_heads, -1, rows, count}));
    }
    const at::Tensor hidden = away.gt(attention.after).logical_or_(away.lt(-attention.before));
    scores.masked_fill_(hidden, -std::numeric_limits<float>::infinity());
    return at::matmul(at::softmax(scores, -1).view({kv_heads, -1, count}), values);
}

}  // namespace

at::Tensor device_rms_norm(const at::Tensor& x, const at::Tensor& weight, float epsilon) {
    return x.mul(at::rsqrt(x.square().mean(-1, true).add_(epsilon))).mul_(weight);
}

void device_rotate(at::Tensor heads, const at::Tensor& cosines, const at::Tensor& sines) {
    const std::int64_t half = cosines.size(1);
    const at::Tensor cosine = cosines.unsqueeze(1), sine = sines.unsqueeze(1);
    const at::Tensor low = heads.narrow(2, 0, half), high = heads.narrow(2, half, half);
    const at::Tensor turned_low = low.mul(cosine).sub_(high.mul(sine));
    const at::Tensor turned_high = high.mul(cosine).add_(low.mul(sine));
    low.copy_(turned_low);
    high.copy_(turned_high);
}

at::Tensor device_attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                         const DeviceAttention& attention) {
    const std::int64_t rows = queries.size(0), heads = queries.size(1), head_dim = queries.size(2);
    const std::int64_t kv_heads = keys.size(0), group = heads / kv_heads;
    const at::Tensor wide_keys = keys.to(at::kFloat), wide_values = values.to(at::kFloat);
    at::Tensor out = at::empty({rows, heads, head_dim}, queries.options());
    const std::int64_t block = std::clamp<std::int64_t>(kMostScores / (heads * keys.size(1)), 1, rows);
    for (std::int64_t first = 0; first < rows; first += block) {
        const std::int64_t count = std::min(block, rows - first);
        const at::Tensor some = queries.narrow(0, first, count).transpose(0, 1).reshape({kv_heads, group * count, head_dim});
        const at::Tensor attended = attend_block(some, wide_keys, wide_values, attention, first, count);
        out.narrow(0, first, count).copy_(attended.view({heads, count, head_dim}).transpose(0, 1));
    }
    return out.view({rows, heads * head_dim});
}

}  // namespace rag::core::libtorch
