#include "train/outputs/element_values.hpp"

#include <bit>
#include <cmath>
#include <cstring>

#include "core/error.hpp"

namespace rag::core {
namespace {

std::uint16_t brain_bits(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16U) | 0x40U);
    return static_cast<std::uint16_t>((bits + 0x7fffU + ((bits >> 16U) & 1U)) >> 16U);
}

}  // namespace

float half_value(std::uint16_t bits) noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16U;
    const std::uint32_t exponent = (bits >> 10U) & 0x1fU;
    const std::uint32_t fraction = bits & 0x3ffU;
    if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13U));
    if (exponent == 0) {
        const float value = std::ldexp(static_cast<float>(fraction), -24);
        return sign != 0 ? -value : value;
    }
    return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (fraction << 13U));
}

std::uint16_t half_bits(float value) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
    const float size = std::abs(value);
    if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7e00U);
    if (size >= 65520.0F) return static_cast<std::uint16_t>(sign | 0x7c00U);
    if (size < 0x1p-14F)
        return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(std::nearbyint(std::ldexp(size, 24))));
    const std::uint32_t rebased = (bits & 0x7fffffffU) - (112U << 23U);
    return static_cast<std::uint16_t>(sign | ((rebased + 0xfffU + ((rebased >> 13U) & 1U)) >> 13U));
}

std::vector<float> element_values(const TensorView& tensor) {
    const std::size_t width = tensor.type == ElementType::kF32 ? 4 : 2;
    if (tensor.type != ElementType::kF32 && tensor.type != ElementType::kF16 && tensor.type != ElementType::kBF16)
        fail(Code::kUnsupported, "tensor {} has an element type that cannot be written as float32", quote(tensor.name));
    std::vector<float> values(tensor.bytes.size() / width);
    if (width == 4) {
        std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
        return values;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, tensor.bytes.data() + 2 * i, 2);
        values[i] = tensor.type == ElementType::kF16 ? half_value(bits) : std::bit_cast<float>(std::uint32_t{bits} << 16U);
    }
    return values;
}

std::vector<std::byte> element_bytes(std::span<const float> values, std::string_view type) {
    if (type == "F32") {
        const auto bytes = std::as_bytes(values);
        return {bytes.begin(), bytes.end()};
    }
    std::vector<std::byte> out(values.size() * 2);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::uint16_t bits = type == "BF16" ? brain_bits(values[i]) : half_bits(values[i]);
        std::memcpy(out.data() + 2 * i, &bits, 2);
    }
    return out;
}

}  // namespace rag::core
