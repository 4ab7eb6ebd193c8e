// How the numbers that a kernel reads are stored; it computes in float32.
#pragma once

#include <cstdint>

namespace rag::core::libtorch::kernels {

enum class NumberType : std::uint32_t { kFloat32, kFloat16, kBFloat16 };

}  // namespace rag::core::libtorch::kernels
