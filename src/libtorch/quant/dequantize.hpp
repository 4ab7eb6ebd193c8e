// Whole tensors of the element types of model files turned into float32: F16, BF16 and GGUF's blocks along the innermost
// dimension (kernels/ggml_blocks.hpp). Runs on the team of the calling thread.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

/// Bytes that `count` elements of `type` take; `count` is a multiple of block_values(type).
std::uint64_t encoded_bytes(ElementType type, std::int64_t count);

/// Values in a block of `type`; 1 for the plain types.
std::int64_t block_values(ElementType type);

/// "F32", "Q4_1", ...
const char* type_name(ElementType type);

/// Whether `type` is one of librag's own, which hold a matrix as a whole; the functions above and below are not for them.
bool is_matrix(ElementType type);
/// Bytes that a matrix of such a type takes, and its values as float32: [outputs, inputs].
std::uint64_t matrix_bytes(ElementType type, std::int64_t outputs, std::int64_t inputs);
void dequantize_matrix(ElementType type, const std::byte* bytes, std::int64_t outputs, std::int64_t inputs, float* out);

/// Writes `count` values to `out`. `bytes` holds encoded_bytes(type, count) and needs no alignment.
void dequantize(ElementType type, const std::byte* bytes, std::int64_t count, float* out);

}  // namespace rag::core::libtorch
