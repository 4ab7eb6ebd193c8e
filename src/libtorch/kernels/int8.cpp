#include "libtorch/kernels/int8.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libtorch/kernels/int8.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

// Machines without vectors: the plain way.
void MultiplyInt8(const std::byte* panel, const Int8Inputs& x, float* sums) {
    for (std::int64_t r = 0; r < x.rows; ++r) {
        const std::int16_t* numbers = x.numbers + r * x.groups * kInt8Group;
        for (std::int64_t n = 0; n < kInt8PanelRows; ++n) {
            std::int64_t sum = 0;
            for (std::int64_t k = 0; k < x.groups * kInt8Group; ++k) {
                const std::int64_t place = k % 4 == 1 ? k + 1 : k % 4 == 2 ? k - 1 : k;
                sum += static_cast<std::int64_t>(static_cast<std::int8_t>(panel[k / 4 * 64 + 4 * n + k % 4])) * numbers[place];
            }
            sums[r * kInt8PanelRows + n] = static_cast<float>(sum);
        }
    }
}

#else

using ShortTag = hn::CappedTag<std::int16_t, 32>;
using IntTag = hn::Repartition<std::int32_t, ShortTag>;
using SumTag = hn::RebindToFloat<IntTag>;

// 512 inputs: 256 products of 15 and 7 bits in each half of the sums.
constexpr std::int64_t kExactGroups = 8;

HWY_INLINE hn::Vec<ShortTag> BroadcastPair(const std::int16_t* pair) {
    std::int32_t both;
    std::memcpy(&both, pair, sizeof(both));
    return hn::BitCast(ShortTag(), hn::Set(IntTag(), both));
}

// Outputs `first` .. of a panel against kRows rows of x.
template <std::int64_t kRows>
HWY_INLINE void MultiplyLanes(const std::byte* panel, const Int8Inputs& x, std::int64_t first, float* sums_out) {
    const ShortTag d16;
    const IntTag d32;
    const SumTag df;
    const hn::RebindToSigned<hn::Repartition<std::int8_t, ShortTag> > d8;
    hn::Vec<SumTag> sums[kRows];
    for (std::int64_t r = 0; r < kRows; ++r) sums[r] = hn::Zero(df);
    for (std::int64_t begin = 0; begin < x.groups; begin += kExactGroups) {
        const std::int64_t end = std::min(begin + kExactGroups, x.groups) * (kInt8Group / 4);
        // Inputs 0 and 2 of four, and 1 and 3; each with a second sum for the machines that need one.
        hn::Vec<IntTag> even[kRows];
        hn::Vec<IntTag> odd[kRows];
        hn::Vec<IntTag> even_rest[kRows];
        hn::Vec<IntTag> odd_rest[kRows];
        for (std::int64_t r = 0; r < kRows; ++r) even[r] = odd[r] = even_rest[r] = odd_rest[r] = hn::Zero(d32);
        for (std::int64_t step = begin * (kInt8Group / 4); step < end; ++step) {
            const auto* from = reinterpret_cast<const std::int8_t*>(panel + 64 * step + 4 * first);
            const auto words = hn::BitCast(d16, hn::LoadU(d8, from));
            const auto of_even = hn::ShiftRight<8>(hn::ShiftLeft<8>(words));
            const auto of_odd = hn::ShiftRight<8>(words);
            for (std::int64_t r = 0; r < kRows; ++r) {
                const std::int16_t* numbers = x.numbers + r * x.groups * kInt8Group + 4 * step;
                even[r] = hn::ReorderWidenMulAccumulate(d32, of_even, BroadcastPair(numbers), even[r], even_rest[r]);
                odd[r] = hn::ReorderWidenMulAccumulate(d32, of_odd, BroadcastPair(numbers + 2), odd[r], odd_rest[r]);
            }
        }
        for (std::int64_t r = 0; r < kRows; ++r) {
            const auto of_even = hn::ConvertTo(df, hn::RearrangeToOddPlusEven(even[r], even_rest[r]));
            sums[r] = hn::Add(sums[r], hn::Add(of_even, hn::ConvertTo(df, hn::RearrangeToOddPlusEven(odd[r], odd_rest[r]))));
        }
    }
    for (std::int64_t r = 0; r < kRows; ++r) hn::StoreU(sums[r], df, sums_out + r * kInt8PanelRows + first);
}

template <std::int64_t kRows>
void MultiplyPanel(const std::byte* panel, const Int8Inputs& x, float* sums) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(SumTag()));
    for (std::int64_t first = 0; first < kInt8PanelRows; first += lanes) MultiplyLanes<kRows>(panel, x, first, sums);
}

void MultiplyInt8(const std::byte* panel, const Int8Inputs& x, float* sums) {
    switch (x.rows) {
        case 1:
            return MultiplyPanel<1>(panel, x, sums);
        case 2:
            return MultiplyPanel<2>(panel, x, sums);
        case 3:
            return MultiplyPanel<3>(panel, x, sums);
        default:
            return MultiplyPanel<4>(panel, x, sums);
    }
}

#endif

float LargestOf(const float* x, std::int64_t count) {
    const hn::ScalableTag<float> df;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(df));
    auto largest = hn::Zero(df);
    std::int64_t k = 0;
    for (; k + lanes <= count; k += lanes) largest = hn::Max(largest, hn::Abs(hn::LoadU(df, x + k)));
    float found = hn::GetLane(hn::MaxOfLanes(df, largest));
    for (; k < count; ++k) found = std::max(found, std::fabs(x[k]));
    return found;
}

void RoundInputs(const float* x, std::int64_t count, float factor, std::int16_t* numbers) {
    const hn::CappedTag<float, 16> df;
    const hn::Rebind<std::int16_t, decltype(df)> d16;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(df));
    const auto times = hn::Set(df, factor);
    std::int64_t k = 0;
    for (; k + lanes <= count; k += lanes) {
        hn::StoreU(hn::DemoteTo(d16, hn::NearestInt(hn::Mul(hn::LoadU(df, x + k), times))), d16, numbers + k);
    }
    for (; k < count; ++k) {
        numbers[k] = static_cast<std::int16_t>(std::clamp(std::nearbyint(x[k] * factor), -32767.0F, 32767.0F));
    }
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core::libtorch::kernels {

HWY_EXPORT(MultiplyInt8);
HWY_EXPORT(LargestOf);
HWY_EXPORT(RoundInputs);

void write_int8(const std::int8_t* bytes, std::int64_t inputs, std::int64_t row, std::byte* panel) {
    for (std::int64_t k = 0; k < inputs; ++k) panel[k / 4 * 64 + 4 * row + k % 4] = static_cast<std::byte>(bytes[k]);
}

void read_int8(const std::byte* panel, std::int64_t inputs, std::int64_t row, std::int8_t* bytes) {
    for (std::int64_t k = 0; k < inputs; ++k) bytes[k] = static_cast<std::int8_t>(panel[k / 4 * 64 + 4 * row + k % 4]);
}

void quantize_int8_inputs(const float* x, std::int64_t inputs, std::int16_t* numbers, float* scale) {
    const float largest = HWY_DYNAMIC_DISPATCH(LargestOf)(x, inputs);
    *scale = largest / 32767.0F;
    HWY_DYNAMIC_DISPATCH(RoundInputs)(x, inputs, largest > 0.0F ? 32767.0F / largest : 0.0F, numbers);
    const std::int64_t all = int8_groups(inputs) * kInt8Group;
    std::fill(numbers + inputs, numbers + all, std::int16_t{0});
    for (std::int64_t k = 0; k < all; k += 4) std::swap(numbers[k + 1], numbers[k + 2]);
}

void multiply_int8(const std::byte* panel, const Int8Inputs& x, const Int8Outputs& outputs, float* out, std::int64_t out_stride) {
    float sums[kInt8Rows * kInt8PanelRows];
    HWY_DYNAMIC_DISPATCH(MultiplyInt8)(panel, x, sums);
    for (std::int64_t r = 0; r < x.rows; ++r) {
        for (std::int64_t n = 0; n < outputs.count; ++n) {
            const float value = x.scales[r] * (outputs.scale[n] * sums[r * kInt8PanelRows + n]);
            out[r * out_stride + n] = outputs.bias == nullptr ? value : value + outputs.bias[n];
        }
    }
}

}  // namespace rag::core::libtorch::kernels
#endif
