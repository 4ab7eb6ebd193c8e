// What the processor's kernels do to rows, in LibTorch's operators, for tensors that lie on a device: the slow twin of norms,
// rotation and attention. Everything stays on the device. In and out as the kernels: [rows, columns] float32.
// Thread rule: pure functions; on the model's worker. Not for the processor, whose kernels are faster.
#pragma once

#include "libtorch/device/device.hpp"

namespace rag::core::libtorch {

/// Root mean square norm over the last dimension (Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467).
at::Tensor device_rms_norm(const at::Tensor& x, const at::Tensor& weight, float epsilon);

/// Turns heads [rows, heads, 2 * half] in place by cosines and sines [rows, half].
void device_rotate(at::Tensor heads, const at::Tensor& cosines, const at::Tensor& sines);

/// One sequence's queries over its keys.
struct DeviceAttention {
    float scale = 0.0F;
    std::int64_t past = 0;    // row i stands at key past + i
    std::int64_t before = 0;  // how many keys before its own and behind it a row sees
    std::int64_t after = 0;
    float softcap = 0.0F;      // above 0: a score s becomes softcap * tanh(s / softcap)
    at::Tensor distance_bias;  // or undefined: [heads, 2 * longest - 1], key j of row i takes place longest - 1 + j - i
};
/// queries: [rows, heads, head_dim] float32; keys, values: [kv_heads, count, head_dim] of any type, heads a multiple of kv_heads.
/// Returns [rows, heads * head_dim].
at::Tensor device_attend(const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values,
                         const DeviceAttention& attention);

}  // namespace rag::core::libtorch
