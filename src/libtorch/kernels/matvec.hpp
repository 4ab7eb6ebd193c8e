// Products of a weight matrix with a few rows, for step-by-step decoding in float32 and float16: there a library's matrix product
// spends its time on packing, while all that counts is to read the weights once. Over Google Highway.
// Thread rule: pure function; the caller spreads the outputs over threads.
#pragma once

#include <cstdint>

#include "libtorch/kernels/number_type.hpp"

namespace rag::core::libtorch::kernels {

/// Rows of x that one call takes.
constexpr std::int64_t kMatvecRows = 4;

/// out[r * out_stride + n] = sum over k of x[r * inputs + k] * weight[n * inputs + k] + bias[n], for outputs begin .. end and r
/// below rows (1 .. kMatvecRows). bias may be null.
void multiply_rows(NumberType type, const void* weight, std::int64_t inputs, std::int64_t begin, std::int64_t end, const float* x,
                   std::int64_t rows, const float* bias, float* out, std::int64_t out_stride);

}  // namespace rag::core::libtorch::kernels
