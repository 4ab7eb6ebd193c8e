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

std::size_t length_of(const void* shape) {
    return static_cast<const PairShape*>(shape)->length;
}

float pair_dot(const void* a, const void* b, const void* shape) {
    return -dot(static_cast<const float*>(a), static_cast<const float*>(b), length_of(shape));
}

float pair_squared_l2(const void* a, const void* b, const void* shape) {
    return squared_l2(static_cast<const float*>(a), static_cast<const float*>(b), length_of(shape));
}

struct CodeTail {
    float scale;
    float squared_length;
};

CodeTail tail_of(const void* row, std::size_t length) {
    CodeTail tail;
    std::memcpy(&tail, static_cast<const std::int8_t*>(row) + length, sizeof(tail));
    return tail;
}

float code_dot(const void* a, const void* b, std::size_t length) {
    return tail_of(a, length).scale * tail_of(b, length).scale *
           static_cast<float>(dot_i8(static_cast<const std::int8_t*>(a), static_cast<const std::int8_t*>(b), length));
}

float pair_dot_i8(const void* a, const void* b, const void* shape) {
    return -code_dot(a, b, length_of(shape));
}

float pair_squared_l2_i8(const void* a, const void* b, const void* shape) {
    const std::size_t length = length_of(shape);
    return tail_of(a, length).squared_length + tail_of(b, length).squared_length - 2.0F * code_dot(a, b, length);
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
