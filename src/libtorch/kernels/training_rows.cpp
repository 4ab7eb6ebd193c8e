#include "libtorch/kernels/training_rows.hpp"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libtorch/kernels/training_rows.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "libtorch/kernels/narrow-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
HWY_INLINE void Sum(const float* x, const T* add, std::int64_t columns, float* sum) {
    const Reader<float> rx(x, columns);
    const Reader<T> radd(add, columns);
    for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
        Put(add != nullptr ? hn::Add(rx.at(c), radd.at(c)) : rx.at(c), sum, c, columns);
    }
}

float RmsNormForward(const float* x, ConstNarrow add, const float* weight, float offset, std::int64_t columns, float epsilon,
                     float* sum, Narrow out) {
    return WithType(out.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const FloatTag d;
        if (add.data != nullptr || sum != x) {
            Sum(x, static_cast<const T*>(add.data), columns, sum);
        }
        const Reader<float> rsum(sum, columns);
        auto squares = hn::Zero(d);
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            squares = hn::MulAdd(rsum.at(c), rsum.at(c), squares);
        }
        const float inverse = 1.0F / std::sqrt(Total(squares) / static_cast<float>(columns) + epsilon);
        const Reader<float> rweight(weight, columns);
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            const auto factor = hn::Add(rweight.at(c), hn::Set(d, offset));
            Put(hn::Mul(hn::Mul(rsum.at(c), hn::Set(d, inverse)), factor), static_cast<T*>(out.data), c, columns);
        }
        return inverse;
    });
}

void RmsNormBackward(ConstNarrow gradient, const float* of_sum, const float* sum, const float* weight, float offset,
                     float inverse, std::int64_t columns, float* to_sum, float* to_weight) {
    WithType(gradient.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const FloatTag d;
        const Reader<T> rg(static_cast<const T*>(gradient.data), columns);
        const Reader<float> rsum(sum, columns), rweight(weight, columns), rof(of_sum, columns), rto(to_weight, columns);
        const auto factor = hn::Set(d, inverse);
        const auto shift = hn::Set(d, offset);
        auto products = hn::Zero(d);
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            const auto g = rg.at(c);
            const auto normed = hn::Mul(rsum.at(c), factor);
            products = hn::MulAdd(hn::Mul(g, hn::Add(rweight.at(c), shift)), normed, products);
            if (to_weight != nullptr) {
                Put(hn::MulAdd(g, normed, rto.at(c)), to_weight, c, columns);
            }
        }
        const auto common = hn::Set(d, Total(products) / static_cast<float>(columns));
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            const auto normed = hn::Mul(rsum.at(c), factor);
            const auto weighted = hn::Mul(rg.at(c), hn::Add(rweight.at(c), shift));
            auto result = hn::Mul(hn::NegMulAdd(normed, common, weighted), factor);
            if (of_sum != nullptr) {
                result = hn::Add(result, rof.at(c));
            }
            Put(result, to_sum, c, columns);
        }
    });
}

LayerNormMoments LayerNormForward(const float* x, ConstNarrow add, const float* weight, const float* bias, std::int64_t columns,
                                  float epsilon, float* sum, float* wide, Narrow out) {
    return WithType(out.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const FloatTag d;
        if (add.data != nullptr || sum != x) {
            Sum(x, static_cast<const T*>(add.data), columns, sum);
        }
        const Reader<float> rsum(sum, columns), rweight(weight, columns), rbias(bias, columns);
        auto total = hn::Zero(d);
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            total = hn::Add(total, rsum.at(c));
        }
        LayerNormMoments moments;
        moments.mean = Total(total) / static_cast<float>(columns);
        const auto mean = hn::Set(d, moments.mean);
        auto squares = hn::Zero(d);
        std::int64_t c = 0;
        for (; c + FloatLanes() <= columns; c += FloatLanes()) {
            const auto v = hn::Sub(rsum.at(c), mean);
            squares = hn::MulAdd(v, v, squares);
        }
        float spread = Total(squares);
        for (; c < columns; ++c) {
            spread += (sum[c] - moments.mean) * (sum[c] - moments.mean);
        }
        moments.inverse = 1.0F / std::sqrt(spread / static_cast<float>(columns) + epsilon);
        for (c = 0; c < columns; c += FloatLanes()) {
            auto v = hn::Mul(hn::Mul(hn::Sub(rsum.at(c), mean), hn::Set(d, moments.inverse)), rweight.at(c));
            if (bias != nullptr) {
                v = hn::Add(v, rbias.at(c));
            }
            Put(v, wide, c, columns);
            if (out.data != nullptr) {
                Put(v, static_cast<T*>(out.data), c, columns);
            }
        }
        return moments;
    });
}

void LayerNormBackward(const float* of_wide, ConstNarrow of_out, const float* sum, const float* weight, LayerNormMoments moments,
                       std::int64_t columns, float* to_sum, float* to_weight, float* to_bias) {
    WithType(of_out.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const FloatTag d;
        const Reader<float> rwide(of_wide, columns), rsum(sum, columns), rweight(weight, columns), rto_weight(to_weight, columns),
            rto_bias(to_bias, columns);
        const Reader<T> rout(static_cast<const T*>(of_out.data), columns);
        const auto gradient = [&](std::int64_t c) {
            auto g = of_wide != nullptr ? rwide.at(c) : hn::Zero(d);
            return of_out.data != nullptr ? hn::Add(g, rout.at(c)) : g;
        };
        const auto mean = hn::Set(d, moments.mean);
        const auto factor = hn::Set(d, moments.inverse);
        auto all = hn::Zero(d);
        auto products = hn::Zero(d);
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            const auto g = gradient(c);
            const auto normed = hn::Mul(hn::Sub(rsum.at(c), mean), factor);
            const auto weighted = hn::Mul(g, rweight.at(c));
            all = hn::Add(all, weighted);
            products = hn::MulAdd(weighted, normed, products);
            if (to_weight != nullptr) {
                Put(hn::MulAdd(g, normed, rto_weight.at(c)), to_weight, c, columns);
            }
            if (to_bias != nullptr) {
                Put(hn::Add(g, rto_bias.at(c)), to_bias, c, columns);
            }
        }
        const auto average = hn::Set(d, Total(all) / static_cast<float>(columns));
        const auto common = hn::Set(d, Total(products) / static_cast<float>(columns));
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            const auto normed = hn::Mul(hn::Sub(rsum.at(c), mean), factor);
            const auto weighted = hn::Mul(gradient(c), rweight.at(c));
            Put(hn::Mul(hn::Sub(hn::NegMulAdd(normed, common, weighted), average), factor), to_sum, c, columns);
        }
    });
}

// act(x) and its slope.
struct Activated {
    Vector value;
    Vector slope;
};

HWY_INLINE Vector Sigmoid(Vector x) {
    const FloatTag d;
    const auto limit = hn::Set(d, 88.0F);  // Highway's Exp is defined as far as the result is finite
    return hn::Div(hn::Set(d, 1.0F), hn::Add(hn::Set(d, 1.0F), hn::Exp(d, hn::Min(hn::Neg(x), limit))));
}

HWY_INLINE Activated Activate(Gate kind, Vector x) {
    const FloatTag d;
    const auto one = hn::Set(d, 1.0F);
    if (kind == Gate::kSilu) {
        const auto share = Sigmoid(x);
        const auto value = hn::Mul(x, share);
        return {value, hn::MulAdd(value, hn::Sub(one, share), share)};
    }
    // x * s(2 u) with u = sqrt(2 / pi) * (x + 0.044715 x^3), since (1 + tanh u) / 2 = s(2 u).
    const auto slope = hn::Set(d, 1.5957691216057308F);  // 2 * sqrt(2 / pi)
    const auto cubic = hn::Set(d, 0.044715F);
    const auto square = hn::Mul(x, x);
    const auto share = Sigmoid(hn::Mul(hn::Mul(slope, x), hn::MulAdd(cubic, square, one)));
    const auto inner = hn::Mul(slope, hn::MulAdd(hn::Set(d, 3.0F * 0.044715F), square, one));
    const auto value = hn::Mul(x, share);
    return {value, hn::MulAdd(hn::Mul(value, hn::Sub(one, share)), inner, share)};
}

void GateForward(Gate kind, ConstNarrow gate, ConstNarrow up, std::int64_t columns, Narrow out) {
    WithType(out.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const Reader<T> rgate(static_cast<const T*>(gate.data), columns), rup(static_cast<const T*>(up.data), columns);
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            Put(hn::Mul(Activate(kind, rgate.at(c)).value, rup.at(c)), static_cast<T*>(out.data), c, columns);
        }
    });
}

void GateBackward(Gate kind, ConstNarrow gradient, ConstNarrow gate, ConstNarrow up, std::int64_t columns, Narrow to_gate,
                  Narrow to_up) {
    WithType(gradient.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const Reader<T> rg(static_cast<const T*>(gradient.data), columns), rgate(static_cast<const T*>(gate.data), columns),
            rup(static_cast<const T*>(up.data), columns);
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            const Activated active = Activate(kind, rgate.at(c));
            const auto g = rg.at(c);
            Put(hn::Mul(hn::Mul(g, rup.at(c)), active.slope), static_cast<T*>(to_gate.data), c, columns);
            Put(hn::Mul(g, active.value), static_cast<T*>(to_up.data), c, columns);
        }
    });
}

void RotateForward(ConstNarrow x, std::int64_t heads, std::int64_t half, const float* cosines, const float* sines, bool back,
                   Narrow out) {
    WithType(out.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const Reader<float> rcos(cosines, half), rsin(sines, half);
        for (std::int64_t head = 0; head < heads; ++head) {
            const T* from = static_cast<const T*>(x.data) + head * 2 * half;
            T* to = static_cast<T*>(out.data) + head * 2 * half;
            const Reader<T> rlow(from, half), rhigh(from + half, half);
            for (std::int64_t c = 0; c < half; c += FloatLanes()) {
                const auto low = rlow.at(c);
                const auto high = rhigh.at(c);
                const auto sine = back ? hn::Neg(rsin.at(c)) : rsin.at(c);
                Put(hn::NegMulAdd(high, sine, hn::Mul(low, rcos.at(c))), to, c, half);
                Put(hn::MulAdd(low, sine, hn::Mul(high, rcos.at(c))), to + half, c, half);
            }
        }
    });
}

// MurmurHash3's finaliser of 32 bits: every bit of the place changes half of the result's.
template <class D>
HWY_INLINE hn::Vec<D> Mixed(D d, hn::Vec<D> v) {
    v = hn::Mul(hn::Xor(v, hn::ShiftRight<16>(v)), hn::Set(d, 0x85EBCA6BU));
    v = hn::Mul(hn::Xor(v, hn::ShiftRight<13>(v)), hn::Set(d, 0xC2B2AE35U));
    return hn::Xor(v, hn::ShiftRight<16>(v));
}

void DropRow(ConstNarrow x, std::int64_t columns, double share, std::uint64_t seed, std::uint64_t first, Narrow out) {
    WithType(out.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const FloatTag d;
        const hn::RebindToUnsigned<FloatTag> d32;
        const Reader<T> rx(static_cast<const T*>(x.data), columns);
        // 24 bits of the hash against the share, so that the comparison is one of whole numbers below 2^24 in float32.
        const auto bound = hn::Set(d, static_cast<float>(share * 16777216.0));
        const auto factor = hn::Set(d, static_cast<float>(1.0 / (1.0 - share)));
        const std::uint64_t start = seed + first * 0x9E3779B97F4A7C15ULL;
        const auto low = hn::Set(d32, static_cast<std::uint32_t>(start));
        const auto high = hn::Set(d32, static_cast<std::uint32_t>(start >> 32));
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            const auto place = hn::Add(low, hn::Mul(hn::Iota(d32, static_cast<std::uint32_t>(c)), hn::Set(d32, 0x9E3779B1U)));
            const auto bits = Mixed(d32, hn::Xor(Mixed(d32, place), high));
            const auto drawn = hn::ConvertTo(d, hn::BitCast(hn::RebindToSigned<FloatTag>(), hn::ShiftRight<8>(bits)));
            Put(hn::IfThenZeroElse(hn::Lt(drawn, bound), hn::Mul(rx.at(c), factor)), static_cast<T*>(out.data), c, columns);
        }
    });
}

void AddRow(const float* x, ConstNarrow add, std::int64_t columns, float* out) {
    WithType(add.type, [&](auto* type) {
        using T = std::remove_pointer_t<decltype(type)>;
        const Reader<T> radd(static_cast<const T*>(add.data), columns);
        const Reader<float> rx(x, columns);
        for (std::int64_t c = 0; c < columns; c += FloatLanes()) {
            Put(x != nullptr ? hn::Add(rx.at(c), radd.at(c)) : radd.at(c), out, c, columns);
        }
    });
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core::libtorch::kernels {

HWY_EXPORT(RmsNormForward);
HWY_EXPORT(RmsNormBackward);
HWY_EXPORT(LayerNormForward);
HWY_EXPORT(LayerNormBackward);
HWY_EXPORT(GateForward);
HWY_EXPORT(GateBackward);
HWY_EXPORT(RotateForward);
HWY_EXPORT(AddRow);
HWY_EXPORT(DropRow);

float rms_norm_forward(const float* x, ConstNarrow add, const float* weight, float offset, std::int64_t columns, float epsilon,
                       float* sum, Narrow out) {
    return HWY_DYNAMIC_DISPATCH(RmsNormForward)(x, add, weight, offset, columns, epsilon, sum, out);
}

void rms_norm_backward(ConstNarrow gradient, const float* of_sum, const float* sum, const float* weight, float offset,
                       float inverse, std::int64_t columns, float* to_sum, float* to_weight) {
    HWY_DYNAMIC_DISPATCH(RmsNormBackward)(gradient, of_sum, sum, weight, offset, inverse, columns, to_sum, to_weight);
}

LayerNormMoments layer_norm_forward(const float* x, ConstNarrow add, const float* weight, const float* bias, std::int64_t columns,
                                    float epsilon, float* sum, float* wide, Narrow out) {
    return HWY_DYNAMIC_DISPATCH(LayerNormForward)(x, add, weight, bias, columns, epsilon, sum, wide, out);
}

void layer_norm_backward(const float* of_wide, ConstNarrow of_out, const float* sum, const float* weight,
                         LayerNormMoments moments, std::int64_t columns, float* to_sum, float* to_weight, float* to_bias) {
    HWY_DYNAMIC_DISPATCH(LayerNormBackward)(of_wide, of_out, sum, weight, moments, columns, to_sum, to_weight, to_bias);
}

void gate_forward(Gate kind, ConstNarrow gate, ConstNarrow up, std::int64_t columns, Narrow out) {
    HWY_DYNAMIC_DISPATCH(GateForward)(kind, gate, up, columns, out);
}

void gate_backward(Gate kind, ConstNarrow gradient, ConstNarrow gate, ConstNarrow up, std::int64_t columns, Narrow to_gate,
                   Narrow to_up) {
    HWY_DYNAMIC_DISPATCH(GateBackward)(kind, gradient, gate, up, columns, to_gate, to_up);
}

void rotate_forward(ConstNarrow x, std::int64_t heads, std::int64_t half, const float* cosines, const float* sines, bool back,
                    Narrow out) {
    HWY_DYNAMIC_DISPATCH(RotateForward)(x, heads, half, cosines, sines, back, out);
}

void drop_row(ConstNarrow x, std::int64_t columns, double share, std::uint64_t seed, std::uint64_t first, Narrow out) {
    HWY_DYNAMIC_DISPATCH(DropRow)(x, columns, share, seed, first, out);
}

void add_row(const float* x, ConstNarrow add, std::int64_t columns, float* out) {
    HWY_DYNAMIC_DISPATCH(AddRow)(x, add, columns, out);
}

}  // namespace rag::core::libtorch::kernels
#endif
