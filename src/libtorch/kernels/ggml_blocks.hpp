// The blocks of GGUF's quantised element types, read one at a time into float32. Layouts as ggml-common.h of
// https://github.com/ggml-org/ggml declares them, the order of the roundings as the reference implementation (the Python package
// gguf) has it, so that values are equal to the last bit. Blocks need no alignment; any bytes are valid blocks.
// Thread rule: pure functions. Not for: whole tensors (quant/dequantize.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

namespace rag::core::libtorch::kernels {

/// Values in a block of the types Q8_0 to Q5_1, and of the K types.
constexpr std::int64_t kSmallBlock = 32;
constexpr std::int64_t kLargeBlock = 256;

/// IEEE half precision, subnormal numbers, infinities and NaN included.
float half_to_float(std::uint16_t bits);

// `block`: 34, 18, 20, 22 and 24 bytes; `out`: kSmallBlock values.
void read_q8_0(const std::byte* block, float* out);
void read_q4_0(const std::byte* block, float* out);
void read_q4_1(const std::byte* block, float* out);
void read_q5_0(const std::byte* block, float* out);
void read_q5_1(const std::byte* block, float* out);

// `block`: 84, 110, 144, 176 and 210 bytes; `out`: kLargeBlock values.
void read_q2_k(const std::byte* block, float* out);
void read_q3_k(const std::byte* block, float* out);
void read_q4_k(const std::byte* block, float* out);
void read_q5_k(const std::byte* block, float* out);
void read_q6_k(const std::byte* block, float* out);

}  // namespace rag::core::libtorch::kernels
