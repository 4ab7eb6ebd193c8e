#include "libtorch/kernels/int4.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "libtorch/kernels/ggml_blocks.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libtorch/kernels/int4.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

// Machines without vectors: the plain way.
void MultiplyInt4(const std::byte* panel, const Int4Inputs& x, float* sums) {
    std::fill_n(sums, x.rows * kInt4PanelRows, 0.0F);
    float values[kInt4Group];
    for (std::int64_t n = 0; n < kInt4PanelRows; ++n) {
        for (std::int64_t g = 0; g < x.groups; ++g) {
            read_int4(panel + g * kInt4TileBytes, n, values);
            for (std::int64_t r = 0; r < x.rows; ++r) {
                float sum = 0.0F;
                const std::int16_t* numbers = x.numbers + (r * x.groups + g) * kInt4Group;
                for (std::int64_t k = 0; k < kInt4Group; ++k) sum += values[k] * static_cast<float>(numbers[k]);
                sums[r * kInt4PanelRows + n] += sum * x.scales[r * x.groups + g];
            }
        }
    }
}

void UnpackInt4(const std::byte* panel, std::int64_t groups, std::uint16_t* out) {
    float values[kInt4Group];
    for (std::int64_t n = 0; n < kInt4PanelRows; ++n) {
        for (std::int64_t g = 0; g < groups; ++g) {
            read_int4(panel + g * kInt4TileBytes, n, values);
            for (std::int64_t k = 0; k < kInt4Group; ++k) {
                const auto bits = std::bit_cast<std::uint32_t>(values[k]);
                out[(n * groups + g) * kInt4Group + k] = static_cast<std::uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
            }
        }
    }
}

#else

constexpr std::int64_t kCodesAt = 64;  // of a tile: behind scales and minima

// One word a lane: two inputs of one output as a pair of 16 bits. At most 16 outputs a vector; fewer on narrower machines.
using WordTag = hn::CappedTag<std::uint16_t, 32>;
using ShortTag = hn::RebindToSigned<WordTag>;
using IntTag = hn::Repartition<std::int32_t, ShortTag>;
using SumTag = hn::RebindToFloat<IntTag>;
using HalfTag = hn::Rebind<hwy::float16_t, SumTag>;

HWY_INLINE hn::Vec<SumTag> LoadHalfs(const std::byte* from) {
    return hn::PromoteTo(SumTag(), hn::LoadU(HalfTag(), reinterpret_cast<const hwy::float16_t*>(from)));
}

template <int kShift>
HWY_INLINE hn::Vec<ShortTag> Codes(hn::Vec<WordTag> words) {
    const WordTag d;
    const auto low = kShift == 0 ? words : hn::ShiftRight<kShift>(words);
    return hn::BitCast(ShortTag(), kShift == 12 ? low : hn::And(low, hn::Set(d, 15)));
}

HWY_INLINE hn::Vec<ShortTag> BroadcastPair(const std::int16_t* pair) {
    std::int32_t both;
    std::memcpy(&both, pair, sizeof(both));
    return hn::BitCast(ShortTag(), hn::Set(IntTag(), both));
}

// Outputs `first` .. of a panel against kRows rows of x.
template <std::int64_t kRows>
HWY_INLINE void MultiplyLanes(const std::byte* panel, const Int4Inputs& x, std::int64_t first, float* sums_out) {
    const IntTag d32;
    const SumTag df;
    hn::Vec<SumTag> sums[kRows];
    for (std::int64_t r = 0; r < kRows; ++r) sums[r] = hn::Zero(df);
    for (std::int64_t g = 0; g < x.groups; ++g) {
        const std::byte* tile = panel + g * kInt4TileBytes;
        hn::Vec<IntTag> even[kRows];
        hn::Vec<IntTag> odd[kRows];
        for (std::int64_t r = 0; r < kRows; ++r) even[r] = odd[r] = hn::Zero(d32);
        for (std::int64_t j = 0; j < 4; ++j) {
            const auto* from = reinterpret_cast<const std::uint16_t*>(tile + kCodesAt + 64 * j) + 2 * first;
            const auto words = hn::LoadU(WordTag(), from);
            const auto codes0 = Codes<0>(words);
            const auto codes1 = Codes<4>(words);
            const auto codes2 = Codes<8>(words);
            const auto codes3 = Codes<12>(words);
            for (std::int64_t r = 0; r < kRows; ++r) {
                const std::int16_t* numbers = x.numbers + (r * x.groups + g) * kInt4Group + 8 * j;
                even[r] = hn::ReorderWidenMulAccumulate(d32, codes0, BroadcastPair(numbers), even[r], odd[r]);
                even[r] = hn::ReorderWidenMulAccumulate(d32, codes1, BroadcastPair(numbers + 2), even[r], odd[r]);
                even[r] = hn::ReorderWidenMulAccumulate(d32, codes2, BroadcastPair(numbers + 4), even[r], odd[r]);
                even[r] = hn::ReorderWidenMulAccumulate(d32, codes3, BroadcastPair(numbers + 6), even[r], odd[r]);
            }
        }
        const auto scale = LoadHalfs(tile + 2 * first);
        const auto minimum = LoadHalfs(tile + 32 + 2 * first);
        for (std::int64_t r = 0; r < kRows; ++r) {
            const auto whole = hn::ConvertTo(df, hn::RearrangeToOddPlusEven(even[r], odd[r]));
            const auto scaled = hn::Mul(whole, hn::Set(df, x.scales[r * x.groups + g]));
            sums[r] = hn::MulAdd(scaled, scale, sums[r]);
            sums[r] = hn::MulAdd(hn::Set(df, x.sums[r * x.groups + g]), minimum, sums[r]);
        }
    }
    for (std::int64_t r = 0; r < kRows; ++r) hn::StoreU(sums[r], df, sums_out + r * kInt4PanelRows + first);
}

template <std::int64_t kRows>
void MultiplyPanel(const std::byte* panel, const Int4Inputs& x, float* sums) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(SumTag()));
    for (std::int64_t first = 0; first < kInt4PanelRows; first += lanes) MultiplyLanes<kRows>(panel, x, first, sums);
}

void MultiplyInt4(const std::byte* panel, const Int4Inputs& x, float* sums) {
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

/// Rounded to the nearest bfloat16, ties to even, in the upper half of each lane. Weights are finite: no NaN comes here.
HWY_INLINE hn::Vec<hn::RebindToUnsigned<SumTag> > RoundUpper(hn::Vec<SumTag> values) {
    const hn::RebindToUnsigned<SumTag> du;
    const auto bits = hn::BitCast(du, values);
    const auto last = hn::And(hn::ShiftRight<16>(bits), hn::Set(du, 1));
    return hn::And(hn::Add(bits, hn::Add(last, hn::Set(du, 0x7FFF))), hn::Set(du, 0xFFFF0000U));
}

template <int kShift>
HWY_INLINE void UnpackPairs(hn::Vec<WordTag> words, hn::Vec<SumTag> scale, hn::Vec<SumTag> minimum, std::uint32_t* pairs) {
    const IntTag d32;
    const SumTag df;
    const hn::RebindToUnsigned<SumTag> du;
    const auto both = hn::BitCast(d32, Codes<kShift>(words));
    const auto even = hn::ConvertTo(df, hn::And(both, hn::Set(d32, 0xFFFF)));
    const auto odd = hn::ConvertTo(df, hn::ShiftRight<16>(both));
    const auto low = hn::ShiftRight<16>(RoundUpper(hn::MulAdd(even, scale, minimum)));
    hn::StoreU(hn::Or(low, RoundUpper(hn::MulAdd(odd, scale, minimum))), du, pairs);
}

void UnpackInt4(const std::byte* panel, std::int64_t groups, std::uint16_t* out) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(SumTag()));
    std::uint32_t pairs[kInt4Group / 2][kInt4PanelRows];
    for (std::int64_t g = 0; g < groups; ++g) {
        const std::byte* tile = panel + g * kInt4TileBytes;
        for (std::int64_t first = 0; first < kInt4PanelRows; first += lanes) {
            const auto scale = LoadHalfs(tile + 2 * first);
            const auto minimum = LoadHalfs(tile + 32 + 2 * first);
            for (std::int64_t j = 0; j < 4; ++j) {
                const auto* from = reinterpret_cast<const std::uint16_t*>(tile + kCodesAt + 64 * j) + 2 * first;
                const auto words = hn::LoadU(WordTag(), from);
                UnpackPairs<0>(words, scale, minimum, pairs[4 * j] + first);
                UnpackPairs<4>(words, scale, minimum, pairs[4 * j + 1] + first);
                UnpackPairs<8>(words, scale, minimum, pairs[4 * j + 2] + first);
                UnpackPairs<12>(words, scale, minimum, pairs[4 * j + 3] + first);
            }
        }
        for (std::int64_t row = 0; row < kInt4PanelRows; ++row) {
            std::uint32_t line[kInt4Group / 2];
            for (std::int64_t pair = 0; pair < kInt4Group / 2; ++pair) line[pair] = pairs[pair][row];
            std::memcpy(out + (row * groups + g) * kInt4Group, line, sizeof(line));
        }
    }
}

#endif

void QuantizeInputs(const float* x, std::int64_t groups, std::int16_t* numbers, float* scales, float* sums) {
    const hn::CappedTag<float, 16> df;
    const hn::Rebind<std::int16_t, decltype(df)> d16;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(df));
    for (std::int64_t g = 0; g < groups; ++g) {
        const float* from = x + g * kInt4Group;
        auto largest = hn::Zero(df);
        auto sum = hn::Zero(df);
        for (std::int64_t k = 0; k < kInt4Group; k += lanes) {
            const auto v = hn::LoadU(df, from + k);
            largest = hn::Max(largest, hn::Abs(v));
            sum = hn::Add(sum, v);
        }
        const float range = hn::GetLane(hn::MaxOfLanes(df, largest));
        scales[g] = range / 32767.0F;
        sums[g] = hn::GetLane(hn::SumOfLanes(df, sum));
        const auto factor = hn::Set(df, range > 0.0F ? 32767.0F / range : 0.0F);
        for (std::int64_t k = 0; k < kInt4Group; k += lanes) {
            const auto v = hn::NearestInt(hn::Mul(hn::LoadU(df, from + k), factor));
            hn::StoreU(hn::DemoteTo(d16, v), d16, numbers + g * kInt4Group + k);
        }
    }
}

// --- Rounding ------------------------------------------------------------------------------------------------------------------

using RoundTag = hn::CappedTag<float, 16>;

struct Line {
    float scale;
    float minimum;
};

/// Codes of the nearest values, as float32.
HWY_INLINE void NearestCodes(const float* values, Line line, float* codes) {
    const RoundTag df;
    const auto inverse = hn::Set(df, line.scale > 0.0F ? 1.0F / line.scale : 0.0F);
    const auto minimum = hn::Set(df, line.minimum);
    const auto limit = hn::Set(df, 15.0F);
    for (std::size_t k = 0; k < kInt4Group; k += hn::Lanes(df)) {
        const auto scaled = hn::Mul(hn::Sub(hn::LoadU(df, values + k), minimum), inverse);
        hn::StoreU(hn::Min(hn::Max(hn::Round(scaled), hn::Zero(df)), limit), df, codes + k);
    }
}

/// The line scale * code + minimum that fits the values best.
HWY_INLINE Line FitLine(const float* values, const float* importance, const float* codes, Line before) {
    const RoundTag df;
    auto h = hn::Zero(df);
    auto hq = h;
    auto hqq = h;
    auto hw = h;
    auto hqw = h;
    for (std::size_t k = 0; k < kInt4Group; k += hn::Lanes(df)) {
        const auto weight = hn::LoadU(df, importance + k);
        const auto q = hn::LoadU(df, codes + k);
        const auto w = hn::LoadU(df, values + k);
        const auto weighted = hn::Mul(weight, q);
        h = hn::Add(h, weight);
        hq = hn::Add(hq, weighted);
        hqq = hn::MulAdd(weighted, q, hqq);
        hw = hn::MulAdd(weight, w, hw);
        hqw = hn::MulAdd(weighted, w, hqw);
    }
    const auto total = [&](auto v) { return static_cast<double>(hn::GetLane(hn::SumOfLanes(df, v))); };
    const double determinant = total(h) * total(hqq) - total(hq) * total(hq);
    if (!(determinant > 1e-6 * total(h) * total(hqq))) return before;
    const double scale = (total(h) * total(hqw) - total(hq) * total(hw)) / determinant;
    if (!(scale > 0.0)) return before;
    return {static_cast<float>(scale), static_cast<float>((total(hw) - scale * total(hq)) / total(h))};
}

HWY_INLINE float SquaredError(const float* values, const float* importance, const float* codes, Line line) {
    const RoundTag df;
    const auto scale = hn::Set(df, line.scale);
    const auto minimum = hn::Set(df, line.minimum);
    auto sum = hn::Zero(df);
    for (std::size_t k = 0; k < kInt4Group; k += hn::Lanes(df)) {
        const auto rest = hn::Sub(hn::LoadU(df, values + k), hn::MulAdd(hn::LoadU(df, codes + k), scale, minimum));
        sum = hn::MulAdd(hn::Mul(rest, rest), hn::LoadU(df, importance + k), sum);
    }
    return hn::GetLane(hn::SumOfLanes(df, sum));
}

HWY_INLINE std::uint16_t ToHalf(float value) {
    const hn::CappedTag<float, 1> wide;
    const hn::Rebind<hwy::float16_t, decltype(wide)> narrow;
    hwy::float16_t half;
    hn::StoreU(hn::DemoteTo(narrow, hn::Set(wide, value)), narrow, &half);
    std::uint16_t bits;
    std::memcpy(&bits, &half, sizeof(bits));
    return bits;
}

std::uint16_t FloatToHalf(float value) {
    return ToHalf(value);
}

bool RoundInt4(const float* values, const float* importance, Int4Codes& out) {
    // The share of the range that codes 0 to 15 span before a line is fitted: clipping an outlier makes the other steps finer.
    constexpr float kShares[] = {1.0F, 0.94F, 0.88F, 0.82F, 0.75F, 0.68F};
    constexpr float kLargestHalf = 65504.0F;
    const auto [low, high] = std::minmax_element(values, values + kInt4Group);
    const bool finite = std::all_of(values, values + kInt4Group, [](float v) { return std::fabs(v) <= kLargestHalf; });
    if (!finite) return false;
    alignas(64) float codes[kInt4Group];
    float best = -1.0F;
    for (const float share : kShares) {
        const float margin = (*high - *low) * (1.0F - share) * 0.5F;
        Line line{(*high - *low) * share / 15.0F, *low + margin};
        NearestCodes(values, line, codes);
        line = FitLine(values, importance, codes, line);
        const std::uint16_t scale = ToHalf(line.scale);
        const std::uint16_t minimum = ToHalf(std::clamp(line.minimum, -kLargestHalf, kLargestHalf));
        line = {half_to_float(scale), half_to_float(minimum)};
        NearestCodes(values, line, codes);
        const float error = SquaredError(values, importance, codes, line);
        if (best >= 0.0F && !(error < best)) continue;
        best = error;
        out.scale = scale;
        out.minimum = minimum;
        for (std::int64_t k = 0; k < kInt4Group; ++k) out.codes[k] = static_cast<std::uint8_t>(codes[k]);
    }
    return true;
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core::libtorch::kernels {

HWY_EXPORT(MultiplyInt4);
HWY_EXPORT(UnpackInt4);
HWY_EXPORT(QuantizeInputs);
HWY_EXPORT(RoundInt4);
HWY_EXPORT(FloatToHalf);

namespace {

std::uint16_t load_word(const std::byte* from) {
    std::uint16_t word;
    std::memcpy(&word, from, sizeof(word));
    return word;
}

// Where the codes of input k of an output lie in a tile, and how far up in the word.
struct Place {
    std::int64_t offset;
    int shift;
};
Place place_of(std::int64_t row, std::int64_t k) {
    return {64 + 64 * (k / 8) + 2 * (2 * row + k % 2), static_cast<int>(k % 8 / 2 * 4)};
}

}  // namespace

std::uint16_t float_to_half(float value) {
    return HWY_DYNAMIC_DISPATCH(FloatToHalf)(value);
}

bool round_int4(const float* values, const float* importance, Int4Codes& out) {
    static constexpr float kEqual[kInt4Group] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    return HWY_DYNAMIC_DISPATCH(RoundInt4)(values, importance == nullptr ? kEqual : importance, out);
}

void write_int4(const Int4Codes& codes, std::int64_t row, std::byte* tile) {
    std::memcpy(tile + 2 * row, &codes.scale, sizeof(codes.scale));
    std::memcpy(tile + 32 + 2 * row, &codes.minimum, sizeof(codes.minimum));
    for (std::int64_t j = 0; j < 4; ++j) {
        for (std::int64_t parity = 0; parity < 2; ++parity) {
            std::uint32_t word = 0;
            for (std::int64_t t = 0; t < 4; ++t)
                word |= static_cast<std::uint32_t>(codes.codes[8 * j + 2 * t + parity] & 15) << (4 * t);
            const auto narrow = static_cast<std::uint16_t>(word);
            std::memcpy(tile + place_of(row, 8 * j + parity).offset, &narrow, sizeof(narrow));
        }
    }
}

void read_int4(const std::byte* tile, std::int64_t row, float* values) {
    const float scale = half_to_float(load_word(tile + 2 * row));
    const float minimum = half_to_float(load_word(tile + 32 + 2 * row));
    for (std::int64_t k = 0; k < kInt4Group; ++k) {
        const Place place = place_of(row, k);
        const int code = (load_word(tile + place.offset) >> place.shift) & 15;
        values[k] = scale * static_cast<float>(code) + minimum;
    }
}

void quantize_int4_inputs(const float* x, std::int64_t inputs, std::int16_t* numbers, float* scales, float* sums) {
    const std::int64_t whole = inputs / kInt4Group;
    HWY_DYNAMIC_DISPATCH(QuantizeInputs)(x, whole, numbers, scales, sums);
    const std::int64_t rest = inputs - whole * kInt4Group;
    if (rest == 0) return;
    float last[kInt4Group] = {};
    std::copy_n(x + whole * kInt4Group, rest, last);
    HWY_DYNAMIC_DISPATCH(QuantizeInputs)(last, 1, numbers + whole * kInt4Group, scales + whole, sums + whole);
}

void multiply_int4(const std::byte* panel, const Int4Inputs& x, std::int64_t outputs, const float* bias, float* out,
                   std::int64_t out_stride) {
    float sums[kInt4Rows * kInt4PanelRows];
    HWY_DYNAMIC_DISPATCH(MultiplyInt4)(panel, x, sums);
    for (std::int64_t r = 0; r < x.rows; ++r) {
        for (std::int64_t n = 0; n < outputs; ++n) {
            const float sum = sums[r * kInt4PanelRows + n];
            out[r * out_stride + n] = bias == nullptr ? sum : sum + bias[n];
        }
    }
}

void unpack_int4(const std::byte* panel, std::int64_t groups, std::uint16_t* out) {
    HWY_DYNAMIC_DISPATCH(UnpackInt4)(panel, groups, out);
}

}  // namespace rag::core::libtorch::kernels
#endif
