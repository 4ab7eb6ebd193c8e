#include "libtorch/kernels/rows.hpp"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libtorch/kernels/rows.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

struct Range {
    float low;
    float high;
};

// The range of a row, widened to hold 0.
Range row_range(const float* x, std::int64_t columns) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto low = hn::Zero(d);
    auto high = hn::Zero(d);
    auto low_odd = low;
    auto high_odd = high;
    std::int64_t c = 0;
    for (; c + 2 * lanes <= columns; c += 2 * lanes) {
        const auto even = hn::LoadU(d, x + c);
        const auto odd = hn::LoadU(d, x + c + lanes);
        low = hn::Min(low, even);
        high = hn::Max(high, even);
        low_odd = hn::Min(low_odd, odd);
        high_odd = hn::Max(high_odd, odd);
    }
    low = hn::Min(low, low_odd);
    high = hn::Max(high, high_odd);
    for (; c + lanes <= columns; c += lanes) {
        const auto v = hn::LoadU(d, x + c);
        low = hn::Min(low, v);
        high = hn::Max(high, v);
    }
    Range range{hn::GetLane(hn::MinOfLanes(d, low)), hn::GetLane(hn::MaxOfLanes(d, high))};
    for (; c < columns; ++c) {
        range.low = std::min(range.low, x[c]);
        range.high = std::max(range.high, x[c]);
    }
    return range;
}

void QuantizeRow(const float* x, std::int64_t columns, std::uint8_t* bytes, float* scale, float* zero) {
    const hn::ScalableTag<float> d;
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const Range range = row_range(x, columns);
    const float span = range.high - range.low;
    *scale = span > 0.0F ? span / 255.0F : 1.0F;
    const float inverse = 1.0F / *scale;
    *zero = std::nearbyint(-range.low * inverse);
    const auto factor = hn::Set(d, inverse);
    const auto shift = hn::Set(d, *zero);
    std::int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
        const auto v = hn::MulAdd(hn::LoadU(d, x + c), factor, shift);
        hn::StoreU(hn::DemoteTo(d8, hn::NearestInt(v)), d8, bytes + c);
    }
    for (; c < columns; ++c) {
        bytes[c] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(x[c] * inverse + *zero), 0.0F, 255.0F));
    }
}

void DequantizeRow(const float* raw, std::int64_t columns, float scale, float zero, const float* column_sums, const float* bias,
                   float* out) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto factor = hn::Set(d, scale);
    const auto shift = hn::Set(d, zero);
    std::int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
        const auto centred = hn::NegMulAdd(shift, hn::LoadU(d, column_sums + c), hn::LoadU(d, raw + c));
        hn::StoreU(hn::MulAdd(factor, centred, hn::LoadU(d, bias + c)), d, out + c);
    }
    for (; c < columns; ++c) {
        out[c] = scale * (raw[c] - zero * column_sums[c]) + bias[c];
    }
}

void RmsNormRow(const float* x, const float* weight, std::int64_t columns, float epsilon, float* out) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto squares = hn::Zero(d);
    std::int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
        const auto v = hn::LoadU(d, x + c);
        squares = hn::MulAdd(v, v, squares);
    }
    float sum = hn::GetLane(hn::SumOfLanes(d, squares));
    for (; c < columns; ++c) {
        sum += x[c] * x[c];
    }
    const float inverse = 1.0F / std::sqrt(sum / static_cast<float>(columns) + epsilon);
    const auto factor = hn::Set(d, inverse);
    for (c = 0; c + lanes <= columns; c += lanes) {
        hn::StoreU(hn::Mul(hn::Mul(hn::LoadU(d, x + c), factor), hn::LoadU(d, weight + c)), d, out + c);
    }
    for (; c < columns; ++c) {
        out[c] = x[c] * inverse * weight[c];
    }
}

// Four sums, since an addition waits for the one before it.
constexpr std::int64_t kSums = 4;

void AddLayerNormRow(float* x, const float* add, const float* weight, const float* bias, std::int64_t columns, float epsilon) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t together = columns / (kSums * lanes) * kSums * lanes;
    const auto total = [&](const auto(&sums)[kSums]) {
        return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]))));
    };
    const auto zero = hn::Zero(d);
    hn::Vec<decltype(d)> sums[kSums] = {zero, zero, zero, zero};
    const auto add_at = [&](std::int64_t c) {
        const auto v = hn::Add(hn::LoadU(d, x + c), hn::LoadU(d, add + c));
        hn::StoreU(v, d, x + c);
        return v;
    };
    float sum = 0.0F;
    std::int64_t c = 0;
    for (; c < together; c += kSums * lanes) {
        for (std::int64_t i = 0; i < kSums; ++i) {
            sums[i] = hn::Add(sums[i], add_at(c + i * lanes));
        }
    }
    for (; c + lanes <= columns; c += lanes) {
        sums[0] = hn::Add(sums[0], add_at(c));
    }
    for (; c < columns; ++c) {
        x[c] += add[c];
        sum += x[c];
    }
    const float mean = (total(sums) + sum) / static_cast<float>(columns);
    const auto middle = hn::Set(d, mean);
    const auto from_middle = [&](std::int64_t at) { return hn::Sub(hn::LoadU(d, x + at), middle); };
    hn::Vec<decltype(d)> squares[kSums] = {zero, zero, zero, zero};
    sum = 0.0F;
    for (c = 0; c < together; c += kSums * lanes) {
        for (std::int64_t i = 0; i < kSums; ++i) {
            const auto v = from_middle(c + i * lanes);
            squares[i] = hn::MulAdd(v, v, squares[i]);
        }
    }
    for (; c + lanes <= columns; c += lanes) {
        const auto v = from_middle(c);
        squares[0] = hn::MulAdd(v, v, squares[0]);
    }
    for (; c < columns; ++c) {
        sum += (x[c] - mean) * (x[c] - mean);
    }
    const float variance = (total(squares) + sum) / static_cast<float>(columns);
    const float inverse = 1.0F / std::sqrt(variance + epsilon);
    const auto factor = hn::Set(d, inverse);
    for (c = 0; c + lanes <= columns; c += lanes) {
        const auto v = hn::Mul(hn::Mul(from_middle(c), factor), hn::LoadU(d, weight + c));
        hn::StoreU(bias == nullptr ? v : hn::Add(v, hn::LoadU(d, bias + c)), d, x + c);
    }
    for (; c < columns; ++c) {
        x[c] = (x[c] - mean) * inverse * weight[c] + (bias == nullptr ? 0.0F : bias[c]);
    }
}

void SiluMultiplyRow(const float* gate, const float* up, std::int64_t columns, float* out) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto one = hn::Set(d, 1.0F);
    const auto limit = hn::Set(d, 88.0F);  // Highway's Exp is defined as far as the result is finite
    std::int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
        const auto g = hn::LoadU(d, gate + c);
        const auto silu = hn::Div(g, hn::Add(one, hn::Exp(d, hn::Min(hn::Neg(g), limit))));
        hn::StoreU(hn::Mul(silu, hn::LoadU(d, up + c)), d, out + c);
    }
    for (; c < columns; ++c) {
        out[c] = gate[c] / (1.0F + std::exp(-gate[c])) * up[c];
    }
}

void GeluTanhMultiplyRow(const float* gate, const float* up, std::int64_t columns, float* out) {
    constexpr float kSlope = 0.7978845608028654F;  // sqrt(2 / pi)
    constexpr float kCubic = 0.044715F;
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto one = hn::Set(d, 1.0F);
    const auto half = hn::Set(d, 0.5F);
    const auto slope = hn::Set(d, kSlope);
    const auto cubic = hn::Set(d, kCubic);
    std::int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
        const auto g = hn::LoadU(d, gate + c);
        const auto inner = hn::Mul(slope, hn::Mul(g, hn::MulAdd(hn::Mul(cubic, g), g, one)));
        const auto gelu = hn::Mul(hn::Mul(half, g), hn::Add(one, hn::Tanh(d, inner)));
        hn::StoreU(hn::Mul(gelu, hn::LoadU(d, up + c)), d, out + c);
    }
    for (; c < columns; ++c) {
        const float inner = kSlope * gate[c] * (1.0F + kCubic * gate[c] * gate[c]);
        out[c] = 0.5F * gate[c] * (1.0F + std::tanh(inner)) * up[c];
    }
}

void SoftcapRow(const float* x, std::int64_t columns, float cap, float* out) {
    const hn::ScalableTag<float> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto factor = hn::Set(d, cap);
    const auto inverse = hn::Set(d, 1.0F / cap);
    std::int64_t c = 0;
    for (; c + lanes <= columns; c += lanes) {
        hn::StoreU(hn::Mul(factor, hn::Tanh(d, hn::Mul(hn::LoadU(d, x + c), inverse))), d, out + c);
    }
    for (; c < columns; ++c) {
        out[c] = cap * std::tanh(x[c] / cap);
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core::libtorch::kernels {

HWY_EXPORT(QuantizeRow);
HWY_EXPORT(DequantizeRow);
HWY_EXPORT(RmsNormRow);
HWY_EXPORT(AddLayerNormRow);
HWY_EXPORT(SiluMultiplyRow);
HWY_EXPORT(GeluTanhMultiplyRow);
HWY_EXPORT(SoftcapRow);

void quantize_row(const float* x, std::int64_t columns, std::uint8_t* bytes, float* scale, float* zero) {
    HWY_DYNAMIC_DISPATCH(QuantizeRow)(x, columns, bytes, scale, zero);
}

void dequantize_row(const float* raw, std::int64_t columns, float scale, float zero, const float* column_sums, const float* bias,
                    float* out) {
    HWY_DYNAMIC_DISPATCH(DequantizeRow)(raw, columns, scale, zero, column_sums, bias, out);
}

void rms_norm_row(const float* x, const float* weight, std::int64_t columns, float epsilon, float* out) {
    HWY_DYNAMIC_DISPATCH(RmsNormRow)(x, weight, columns, epsilon, out);
}

void add_layer_norm_row(float* x, const float* add, const float* weight, const float* bias, std::int64_t columns, float epsilon) {
    HWY_DYNAMIC_DISPATCH(AddLayerNormRow)(x, add, weight, bias, columns, epsilon);
}

void silu_multiply_row(const float* gate, const float* up, std::int64_t columns, float* out) {
    HWY_DYNAMIC_DISPATCH(SiluMultiplyRow)(gate, up, columns, out);
}

void gelu_tanh_multiply_row(const float* gate, const float* up, std::int64_t columns, float* out) {
    HWY_DYNAMIC_DISPATCH(GeluTanhMultiplyRow)(gate, up, columns, out);
}

void softcap_row(const float* x, std::int64_t columns, float cap, float* out) {
    HWY_DYNAMIC_DISPATCH(SoftcapRow)(x, columns, cap, out);
}

}  // namespace rag::core::libtorch::kernels
#endif
