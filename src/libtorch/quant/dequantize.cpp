#include "libtorch/quant/dequantize.hpp"

#include <c10/util/BFloat16.h>

#include "libtorch/kernels/ggml_blocks.hpp"
#include "libtorch/kernels/int4.hpp"

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
        {"librag's int8", 1, 0, nullptr},
        {"librag's int4", 1, 0, nullptr},
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

bool is_matrix(ElementType type) {
    return type == ElementType::kInt8 || type == ElementType::kInt4;
}

std::uint64_t matrix_bytes(ElementType type, std::int64_t outputs, std::int64_t inputs) {
    return static_cast<std::uint64_t>(type == ElementType::kInt4 ? kernels::int4_bytes(outputs, inputs) : outputs * (inputs + 4));
}

void dequantize_matrix(ElementType type, const std::byte* bytes, std::int64_t outputs, std::int64_t inputs, float* out) {
    const std::int64_t groups = kernels::int4_groups(inputs);
    at::parallel_for(0, outputs, 16, [&](std::int64_t begin, std::int64_t end) {
        float group[kernels::kInt4Group];
        for (std::int64_t n = begin; n < end; ++n) {
            float* row = out + n * inputs;
            if (type == ElementType::kInt8) {
                const auto scale = load<float>(bytes + 4 * n);
                const std::byte* values = bytes + 4 * outputs + n * inputs;
                for (std::int64_t k = 0; k < inputs; ++k) row[k] = scale * static_cast<float>(load<std::int8_t>(values + k));
                continue;
            }
            const std::byte* panel = bytes + n / kernels::kInt4PanelRows * groups * kernels::kInt4TileBytes;
            for (std::int64_t g = 0; g < groups; ++g) {
                kernels::read_int4(panel + g * kernels::kInt4TileBytes, n % kernels::kInt4PanelRows, group);
                const std::int64_t first = g * kernels::kInt4Group;
                std::copy_n(group, std::min(kernels::kInt4Group, inputs - first), row + first);
            }
        }
    });
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
