#include "libtorch/kernels/matvec.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libtorch/kernels/matvec.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

#include "libtorch/kernels/widen-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T, std::int64_t kRows>
void MultiplyRows(const T* weight, std::int64_t inputs, std::int64_t begin, std::int64_t end, const float* x, const float* bias,
                  float* out, std::int64_t out_stride) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t n = begin; n < end; ++n) {
        const T* row = weight + n * inputs;
        // Two sums a row hide the latency of the multiply-add.
        hn::Vec<decltype(d)> even[kRows];
        hn::Vec<decltype(d)> odd[kRows];
        for (std::int64_t r = 0; r < kRows; ++r) {
            even[r] = odd[r] = hn::Zero(d);
        }
        std::int64_t k = 0;
        for (; k + 2 * lanes <= inputs; k += 2 * lanes) {
            const auto first = WidenVector(row + k);
            const auto second = WidenVector(row + k + lanes);
            for (std::int64_t r = 0; r < kRows; ++r) {
                even[r] = hn::MulAdd(first, hn::LoadU(d, x + r * inputs + k), even[r]);
                odd[r] = hn::MulAdd(second, hn::LoadU(d, x + r * inputs + k + lanes), odd[r]);
            }
        }
        for (std::int64_t r = 0; r < kRows; ++r) {
            float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even[r], odd[r])));
            for (std::int64_t rest = k; rest < inputs; ++rest) {
                sum += WidenScalar(row[rest]) * x[r * inputs + rest];
            }
            out[r * out_stride + n] = bias == nullptr ? sum : sum + bias[n];
        }
    }
}

template <typename T>
void MultiplyTyped(const void* weight, std::int64_t inputs, std::int64_t begin, std::int64_t end, const float* x,
                   std::int64_t rows, const float* bias, float* out, std::int64_t out_stride) {
    const T* typed = static_cast<const T*>(weight);
    switch (rows) {
        case 1:
            return MultiplyRows<T, 1>(typed, inputs, begin, end, x, bias, out, out_stride);
        case 2:
            return MultiplyRows<T, 2>(typed, inputs, begin, end, x, bias, out, out_stride);
        case 3:
            return MultiplyRows<T, 3>(typed, inputs, begin, end, x, bias, out, out_stride);
        default:
            return MultiplyRows<T, 4>(typed, inputs, begin, end, x, bias, out, out_stride);
    }
}

void MultiplyAny(NumberType type, const void* weight, std::int64_t inputs, std::int64_t begin, std::int64_t end, const float* x,
                 std::int64_t rows, const float* bias, float* out, std::int64_t out_stride) {
    switch (type) {
        case NumberType::kFloat32:
            return MultiplyTyped<float>(weight, inputs, begin, end, x, rows, bias, out, out_stride);
        case NumberType::kFloat16:
            return MultiplyTyped<hwy::float16_t>(weight, inputs, begin, end, x, rows, bias, out, out_stride);
        case NumberType::kBFloat16:
            return MultiplyTyped<hwy::bfloat16_t>(weight, inputs, begin, end, x, rows, bias, out, out_stride);
        case NumberType::kInt8:
            return MultiplyTyped<std::int8_t>(weight, inputs, begin, end, x, rows, bias, out, out_stride);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core::libtorch::kernels {

HWY_EXPORT(MultiplyAny);

void multiply_rows(NumberType type, const void* weight, std::int64_t inputs, std::int64_t begin, std::int64_t end, const float* x,
                   std::int64_t rows, const float* bias, float* out, std::int64_t out_stride) {
    HWY_DYNAMIC_DISPATCH(MultiplyAny)(type, weight, inputs, begin, end, x, rows, bias, out, out_stride);
}

}  // namespace rag::core::libtorch::kernels
#endif
