#include "libtorch/quant/dequantize.hpp"

#include <c10/util/BFloat16.h>

#include "libtorch/kernels/ggml_blocks.hpp"

namespace rag::core::libtorch {
namespace {

template <typename T>
T load(const std::byte* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
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
        {"F16", 1, 2, [](const std::byte* b, float* out) { *out = kernels::half_to_float(load<std::uint16_t>(b)); }},
        {"BF16", 1, 2, [](const std::byte* b, float* out) { *out = c10::detail::f32_from_bits(load<std::uint16_t>(b)); }},
        {"Q8_0", kernels::kSmallBlock, 34, kernels::read_q8_0},
        {"Q4_0", kernels::kSmallBlock, 18, kernels::read_q4_0},
        {"Q4_1", kernels::kSmallBlock, 20, kernels::read_q4_1},
        {"Q5_0", kernels::kSmallBlock, 22, kernels::read_q5_0},
        {"Q5_1", kernels::kSmallBlock, 24, kernels::read_q5_1},
        {"Q2_K", kernels::kLargeBlock, 84, kernels::read_q2_k},
        {"Q3_K", kernels::kLargeBlock, 110, kernels::read_q3_k},
        {"Q4_K", kernels::kLargeBlock, 144, kernels::read_q4_k},
        {"Q5_K", kernels::kLargeBlock, 176, kernels::read_q5_k},
        {"Q6_K", kernels::kLargeBlock, 210, kernels::read_q6_k},
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
