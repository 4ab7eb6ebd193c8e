// Elements of a file as float32, and float32 as elements of a file. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "model/backend.hpp"

namespace rag::core {

/// Throws kUnsupported for element types other than F32, F16 and BF16.
std::vector<float> element_values(const TensorView& tensor);
/// "F32", "BF16" or "F16", rounded to nearest, ties to even.
std::vector<std::byte> element_bytes(std::span<const float> values, std::string_view type);

float half_value(std::uint16_t bits) noexcept;
std::uint16_t half_bits(float value) noexcept;

}  // namespace rag::core
