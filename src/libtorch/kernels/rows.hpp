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

}  // namespace rag::core::libtorch::kernels
