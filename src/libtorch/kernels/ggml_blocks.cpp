#include "libtorch/kernels/ggml_blocks.hpp"

#include <bit>
#include <cmath>

namespace rag::core::libtorch::kernels {
namespace {

int byte_at(const std::byte* bytes, std::int64_t index) {
    return std::to_integer<int>(bytes[index]);
}

int signed_byte_at(const std::byte* bytes, std::int64_t index) {
    return static_cast<std::int8_t>(std::to_integer<std::uint8_t>(bytes[index]));
}

float half_at(const std::byte* bytes) {
    return half_to_float(static_cast<std::uint16_t>(byte_at(bytes, 0) | byte_at(bytes, 1) << 8));
}

/// Value `i` of 32 with a nibble each: the low nibbles are values 0..15, the high ones 16..31.
int nibble(const std::byte* nibbles, std::int64_t i) {
    return i < 16 ? byte_at(nibbles, i) & 15 : byte_at(nibbles, i - 16) >> 4;
}

/// Value `i` of 32: a nibble, and bit `i` of four bytes as its fifth bit.
int five_bits(const std::byte* high, const std::byte* nibbles, std::int64_t i) {
    return nibble(nibbles, i) | ((byte_at(high, i / 8) >> (i % 8)) & 1) << 4;
}

/// Q2_K and Q3_K: 128 values lie in 32 bytes, value 32 * s + j in bits 2s and 2s + 1 of byte j.
int two_bits(const std::byte* bytes, std::int64_t i) {
    return (byte_at(bytes, i / 128 * 32 + i % 32) >> (2 * (i / 32 % 4))) & 3;
}

/// Q4_K and Q5_K: 64 values lie in 32 bytes, the low nibbles first.
int nibble_of_64(const std::byte* bytes, std::int64_t i) {
    const int byte = byte_at(bytes, i / 64 * 32 + i % 32);
    return i / 32 % 2 == 0 ? byte & 15 : byte >> 4;
}

struct ScaleAndMinimum {
    int scale, minimum;
};

/// Q4_K and Q5_K: eight scales and eight minima of six bits in twelve bytes. The first four of each lie in the low six bits of
/// bytes 0..3 and 4..7; the other four have their low nibbles in bytes 8..11 and their upper two bits on top of the first four.
ScaleAndMinimum six_bits(const std::byte* packed, std::int64_t group) {
    const std::int64_t low = group % 4;
    if (group < 4) return {byte_at(packed, low) & 63, byte_at(packed, low + 4) & 63};
    const int both = byte_at(packed, low + 8);
    return {(both & 15) | (byte_at(packed, low) >> 6) << 4, both >> 4 | (byte_at(packed, low + 4) >> 6) << 4};
}

}  // namespace

float half_to_float(std::uint16_t bits) {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
    const std::uint32_t exponent = (bits >> 10) & 31U;
    const std::uint32_t fraction = bits & 1023U;
    if (exponent == 0) {
        // Zero and subnormal numbers: fraction * 2^-24, which float32 holds exactly.
        const float value = std::ldexp(static_cast<float>(fraction), -24);
        return sign != 0 ? -value : value;
    }
    const std::uint32_t wide = exponent == 31 ? 255U : exponent + 127 - 15;
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

// scale, 32 signed bytes
void read_q8_0(const std::byte* block, float* out) {
    const float scale = half_at(block);
    for (std::int64_t i = 0; i < kSmallBlock; ++i) out[i] = scale * static_cast<float>(signed_byte_at(block + 2, i));
}

// scale, nibbles; 8 stands for zero
void read_q4_0(const std::byte* block, float* out) {
    const float scale = half_at(block);
    for (std::int64_t i = 0; i < kSmallBlock; ++i) out[i] = scale * static_cast<float>(nibble(block + 2, i) - 8);
}

// scale, minimum, nibbles
void read_q4_1(const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float minimum = half_at(block + 2);
    for (std::int64_t i = 0; i < kSmallBlock; ++i) out[i] = scale * static_cast<float>(nibble(block + 4, i)) + minimum;
}

// scale, fifth bits, nibbles; 16 stands for zero
void read_q5_0(const std::byte* block, float* out) {
    const float scale = half_at(block);
    for (std::int64_t i = 0; i < kSmallBlock; ++i) out[i] = scale * static_cast<float>(five_bits(block + 2, block + 6, i) - 16);
}

// scale, minimum, fifth bits, nibbles
void read_q5_1(const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float minimum = half_at(block + 2);
    for (std::int64_t i = 0; i < kSmallBlock; ++i)
        out[i] = scale * static_cast<float>(five_bits(block + 4, block + 8, i)) + minimum;
}

// 16 bytes of scale (low nibble) and minimum (high nibble) of 16 values each, 64 bytes of two bits, scale, scale of the minima
void read_q2_k(const std::byte* block, float* out) {
    const float scale = half_at(block + 80);
    const float minimum = half_at(block + 82);
    for (std::int64_t i = 0; i < kLargeBlock; ++i) {
        const int both = byte_at(block, i / 16);
        const float step = scale * static_cast<float>(both & 15);
        out[i] = step * static_cast<float>(two_bits(block + 16, i)) - minimum * static_cast<float>(both >> 4);
    }
}

// 32 bytes of third bits (set: the value is not lowered by 4), 64 bytes of two bits, 12 bytes of 16 scales, scale. A scale of six
// bits (32 stands for zero) has its low nibble in bytes 0..7 and two upper bits in bytes 8..11.
void read_q3_k(const std::byte* block, float* out) {
    const std::byte* scales = block + 96;
    const float scale = half_at(block + 108);
    for (std::int64_t i = 0; i < kLargeBlock; ++i) {
        const std::int64_t group = i / 16;
        const int low = (byte_at(scales, group % 8) >> (group < 8 ? 0 : 4)) & 15;
        const int high = (byte_at(scales, 8 + group % 4) >> (2 * (group / 4))) & 3;
        const float step = scale * static_cast<float>((low | high << 4) - 32);
        const int third = (byte_at(block, i % 32) >> (i / 32)) & 1;
        out[i] = step * static_cast<float>(two_bits(block + 32, i) - (third != 0 ? 0 : 4));
    }
}

// scale, scale of the minima, 12 bytes of scales and minima of 32 values each, nibbles
void read_q4_k(const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float minimum = half_at(block + 2);
    for (std::int64_t i = 0; i < kLargeBlock; ++i) {
        const ScaleAndMinimum group = six_bits(block + 4, i / 32);
        const float step = scale * static_cast<float>(group.scale);
        out[i] = step * static_cast<float>(nibble_of_64(block + 16, i)) - minimum * static_cast<float>(group.minimum);
    }
}

// As Q4_K, with 32 bytes of fifth bits (bit g of byte j for value j of group g) before the nibbles.
void read_q5_k(const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float minimum = half_at(block + 2);
    for (std::int64_t i = 0; i < kLargeBlock; ++i) {
        const ScaleAndMinimum group = six_bits(block + 4, i / 32);
        const int fifth = (byte_at(block + 16, i % 32) >> (i / 32)) & 1;
        const float step = scale * static_cast<float>(group.scale);
        const int value = nibble_of_64(block + 48, i) | fifth << 4;
        out[i] = step * static_cast<float>(value) - minimum * static_cast<float>(group.minimum);
    }
}

// 128 bytes of nibbles, 64 bytes of two upper bits, 16 signed scales of 16 values each, scale; 32 stands for zero. Of 128 values
// the first 64 are the low nibbles of 64 bytes.
void read_q6_k(const std::byte* block, float* out) {
    const float scale = half_at(block + 208);
    for (std::int64_t i = 0; i < kLargeBlock; ++i) {
        const int byte = byte_at(block, i / 128 * 64 + i % 64);
        const int low = i / 64 % 2 == 0 ? byte & 15 : byte >> 4;
        const float step = scale * static_cast<float>(signed_byte_at(block + 192, i / 16));
        out[i] = step * static_cast<float>((low | two_bits(block + 128, i) << 4) - 32);
    }
}

}  // namespace rag::core::libtorch::kernels
