#include "libtorch/kernels/int4_compensate.hpp"

#include <algorithm>
#include <cmath>

#include "libtorch/kernels/ggml_blocks.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libtorch/kernels/int4_compensate.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// to[k] -= factor * from[k]
void SubtractScaled(const float* from, float factor, std::int64_t count, float* to) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto scale = hn::Set(d, factor);
    std::int64_t k = 0;
    for (; k + lanes <= count; k += lanes) {
        hn::StoreU(hn::NegMulAdd(scale, hn::LoadU(d, from + k), hn::LoadU(d, to + k)), d, to + k);
    }
    for (; k < count; ++k) to[k] -= factor * from[k];
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core::libtorch::kernels {

HWY_EXPORT(SubtractScaled);

namespace {

void subtract(const float* from, float factor, std::int64_t count, float* to) {
    HWY_DYNAMIC_DISPATCH(SubtractScaled)(from, factor, count, to);
}

}  // namespace

bool compensate_int4(float* weights, std::int64_t inputs, const float* factor, const float* importance, Int4Codes* out) {
    for (std::int64_t g = 0; g < int4_groups(inputs); ++g) {
        const std::int64_t first = g * kInt4Group;
        Int4Codes& codes = out[g];
        if (!round_int4(weights + first, importance + first, codes)) return false;
        const float scale = half_to_float(codes.scale);
        const float minimum = half_to_float(codes.minimum);
        const float inverse = scale > 0.0F ? 1.0F / scale : 0.0F;
        for (std::int64_t k = first; k < std::min(first + kInt4Group, inputs); ++k) {
            const float code = std::clamp(std::nearbyint((weights[k] - minimum) * inverse), 0.0F, 15.0F);
            codes.codes[k - first] = static_cast<std::uint8_t>(code);
            const float* row = factor + k * inputs;
            const float error = (weights[k] - (scale * code + minimum)) / row[k];
            subtract(row + k + 1, error, inputs - k - 1, weights + k + 1);
        }
    }
    return true;
}

}  // namespace rag::core::libtorch::kernels
#endif
