// The slow twins of kernels.cpp: one element at a time, sums in double. The oracle of the kernel tests.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "index/vector/kernels.hpp"

namespace rag::core {
namespace {

float dot(const float* a, const float* b, std::size_t length) {
    double sum = 0;
    for (std::size_t i = 0; i < length; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return static_cast<float>(sum);
}

float squared_l2(const float* a, const float* b, std::size_t length) {
    double sum = 0;
    for (std::size_t i = 0; i < length; ++i) {
        const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
        sum += difference * difference;
    }
    return static_cast<float>(sum);
}

std::int32_t dot_i8(const std::int8_t* a, const std::int8_t* b, std::size_t length) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < length; ++i) sum += static_cast<std::int32_t>(a[i]) * static_cast<std::int32_t>(b[i]);
    return sum;
}

CodeSums encode(const float* values, std::size_t length, std::int8_t* codes) {
    float largest = 0;
    double squared = 0;
    for (std::size_t i = 0; i < length; ++i) {
        largest = std::max(largest, std::abs(values[i]));
        squared += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    }
    const float scale = largest / 127.0F;
    double off = 0;
    for (std::size_t i = 0; i < length; ++i) {
        const float steps = values[i] * code_steps(scale);
        const float whole = std::nearbyint(steps);
        off += static_cast<double>(steps - whole) * static_cast<double>(steps - whole);
        codes[i] = static_cast<std::int8_t>(whole);
    }
    return {scale, static_cast<float>(squared), static_cast<float>(off)};
}

template <auto kernel, typename Element, typename Result>
void rows(const Element* query, const Element* base, const std::uint32_t* ids, std::size_t count, std::size_t length,
          Result* out) {
    for (std::size_t i = 0; i < count; ++i) out[i] = kernel(query, base + (ids == nullptr ? i : ids[i]) * length, length);
}

const PairShape& shape_of(const void* shape) {
    return *static_cast<const PairShape*>(shape);
}
const PairRow& row_of(const void* row, const PairShape& shape) {
    return *reinterpret_cast<const PairRow*>(static_cast<const char*>(row) + shape.bytes);
}
template <typename Element>
const Element* values_of(const void* row, const PairShape& shape) {
    return static_cast<const Element*>(shape.bytes > 0 ? row : row_of(row, shape).values);
}

float pair_dot(const void* a, const void* b, const void* data) {
    const PairShape& shape = shape_of(data);
    return -dot(values_of<float>(a, shape), values_of<float>(b, shape), shape.length);
}
float pair_squared_l2(const void* a, const void* b, const void* data) {
    const PairShape& shape = shape_of(data);
    return squared_l2(values_of<float>(a, shape), values_of<float>(b, shape), shape.length);
}
float pair_dot_i8(const void* a, const void* b, const void* data) {
    const PairShape& shape = shape_of(data);
    const std::int32_t dot = dot_i8(values_of<std::int8_t>(a, shape), values_of<std::int8_t>(b, shape), shape.length);
    return -row_of(a, shape).scale * row_of(b, shape).scale * static_cast<float>(dot);
}
float pair_squared_l2_i8(const void* a, const void* b, const void* data) {
    const PairShape& shape = shape_of(data);
    return row_of(a, shape).squared_length + row_of(b, shape).squared_length + 2.0F * pair_dot_i8(a, b, data);
}

}  // namespace

const Kernels& scalar_kernels() {
    static const Kernels table{"scalar",
                               dot,
                               squared_l2,
                               dot_i8,
                               rows<dot, float, float>,
                               rows<squared_l2, float, float>,
                               rows<dot_i8, std::int8_t, std::int32_t>,
                               encode,
                               pair_dot,
                               pair_squared_l2,
                               pair_dot_i8,
                               pair_squared_l2_i8};
    return table;
}

}  // namespace rag::core
