// How the numbers that a kernel reads are stored; it computes in float32.
#pragma once

#include <cstdint>

namespace rag::core::libtorch::kernels {

/// kInt8: signed bytes, each row of them with a scale that lies elsewhere.
enum class NumberType : std::uint32_t { kFloat32, kFloat16, kBFloat16, kInt8 };

}  // namespace rag::core::libtorch::kernels
