#include "libtorch/quant/dequantize.hpp"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kBlock = 32;

template <typename T>
T load(const std::byte* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
}

float half_at(const std::byte* bytes) {
    return c10::detail::fp16_ieee_to_fp32_value(load<std::uint16_t>(bytes));
}

float bfloat16_at(const std::byte* bytes) {
    return c10::detail::f32_from_bits(load<std::uint16_t>(bytes));
}

// d (f16), 32 signed bytes
void block_q8_0(const std::byte* block, float* out) {
    const float scale = half_at(block);
    for (std::int64_t i = 0; i < kBlock; ++i) {
        out[i] = scale * static_cast<float>(load<std::int8_t>(block + 2 + i));
    }
}

// d (f16), 16 bytes: the low nibbles are values 0..15, the high ones 16..31, 8 stands for zero
void block_q4_0(const std::byte* block, float* out) {
    const float scale = half_at(block);
    for (std::int64_t i = 0; i < kBlock / 2; ++i) {
        const auto pair = load<std::uint8_t>(block + 2 + i);
        out[i] = scale * static_cast<float>((pair & 15) - 8);
        out[i + kBlock / 2] = scale * static_cast<float>((pair >> 4) - 8);
    }
}

// d, m (f16), 16 bytes: d * nibble + m
void block_q4_1(const std::byte* block, float* out) {
    const float scale = half_at(block);
    const float minimum = half_at(block + 2);
    for (std::int64_t i = 0; i < kBlock / 2; ++i) {
        const auto pair = load<std::uint8_t>(block + 4 + i);
        out[i] = scale * static_cast<float>(pair & 15) + minimum;
        out[i + kBlock / 2] = scale * static_cast<float>(pair >> 4) + minimum;
    }
}

// The block layouts: values in a block, bytes of a block, and how one is read.
struct Layout {
    const char* name;
    std::int64_t values;
    std::int64_t size_bytes;
    void (*read)(const std::byte*, float*);
};

const Layout& layout(ElementType type) {
    static constexpr Layout kLayouts[] = {
        {"F32", 1, 4, [](const std::byte* b, float* out) { *out = load<float>(b); }},
        {"F16", 1, 2, [](const std::byte* b, float* out) { *out = half_at(b); }},
        {"BF16", 1, 2, [](const std::byte* b, float* out) { *out = bfloat16_at(b); }},
        {"Q8_0", kBlock, 34, block_q8_0},
        {"Q4_0", kBlock, 18, block_q4_0},
        {"Q4_1", kBlock, 20, block_q4_1},
    };
    const auto index = static_cast<std::size_t>(type);
    if (index >= std::size(kLayouts)) {
        fail(Code::kUnsupported, "element type ", index, " is unknown");
    }
    return kLayouts[index];
}

}  // namespace

std::uint64_t encoded_bytes(ElementType type, std::int64_t count) {
    const Layout& l = layout(type);
    return static_cast<std::uint64_t>(count / l.values) * static_cast<std::uint64_t>(l.size_bytes);
}

std::int64_t block_values(ElementType type) {
    return layout(type).values;
}

const char* type_name(ElementType type) {
    return layout(type).name;
}

void dequantize(ElementType type, const std::byte* bytes, std::int64_t count, float* out) {
    if (type == ElementType::kF32) {
        std::memcpy(out, bytes, static_cast<std::size_t>(count) * sizeof(float));
        return;
    }
    const Layout l = layout(type);
    at::parallel_for(0, count / l.values, 32768 / l.values, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t block = begin; block < end; ++block) {
            l.read(bytes + block * l.size_bytes, out + block * l.values);
        }
    });
}

}  // namespace rag::core::libtorch
