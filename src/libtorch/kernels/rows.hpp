// Row kernels that LibTorch has no fused operator for, over Google Highway (the instruction set is chosen at run time). One call
// handles one row and allocates nothing; the caller spreads rows over threads.
// Thread rule: pure functions.
#pragma once

#include <cstdint>

namespace rag::core::libtorch::kernels {

/// Asymmetric quantisation to bytes: x[k] is about scale * (bytes[k] - zero), zero a whole number in 0..255, so that 0 is exact.
void quantize_row(const float* x, std::int64_t columns, std::uint8_t* bytes, float* scale, float* zero);

/// out[c] = scale * (raw[c] - zero * column_sums[c]) + bias[c]
void dequantize_row(const float* raw, std::int64_t columns, float scale, float zero, const float* column_sums, const float* bias,
                    float* out);

/// RMSNorm (Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467): out[c] = weight[c] * x[c] / sqrt(mean of squares + epsilon)
void rms_norm_row(const float* x, const float* weight, std::int64_t columns, float epsilon, float* out);

/// A sum and its LayerNorm (Ba et al. 2016, https://arxiv.org/abs/1607.06450): x = weight * (s - mean) / sqrt(variance + epsilon)
/// + bias with s = x + add; bias may be null.
void add_layer_norm_row(float* x, const float* add, const float* weight, const float* bias, std::int64_t columns, float epsilon);

/// SwiGLU's product: out[c] = gate[c] / (1 + exp(-gate[c])) * up[c]
void silu_multiply_row(const float* gate, const float* up, std::int64_t columns, float* out);

/// GeGLU's product with the tanh form of GELU (https://arxiv.org/abs/1606.08415): out[c] = gelu(gate[c]) * up[c], where
/// gelu(g) = g / 2 * (1 + tanh(sqrt(2 / pi) * (g + 0.044715 * g^3)))
void gelu_tanh_multiply_row(const float* gate, const float* up, std::int64_t columns, float* out);

/// out[c] = cap * tanh(x[c] / cap); out may be x
void softcap_row(const float* x, std::int64_t columns, float cap, float* out);

}  // namespace rag::core::libtorch::kernels
