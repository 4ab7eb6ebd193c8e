// The kernels of kernels.hpp, compiled once for each instruction set that Highway knows and chosen at run time.
// Four sums run side by side, because one would wait for the latency of its own additions.
#include "index/vector/kernels.hpp"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/vector/kernels.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rag::core::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kLineBytes = 64;
// While a row is computed, one this many rows ahead is fetched: far enough to hide memory, near enough to stay in level 1.
constexpr std::size_t kRowsAhead = 2;

template <typename Step>
HWY_INLINE float sum_floats(const float* HWY_RESTRICT a, const float* HWY_RESTRICT b, std::size_t length, Step step) {
    const hn::CappedTag<float, kFloatPad> d;
    const std::size_t lanes = hn::Lanes(d);
    auto s0 = hn::Zero(d);
    auto s1 = hn::Zero(d);
    auto s2 = hn::Zero(d);
    auto s3 = hn::Zero(d);
    std::size_t i = 0;
    for (; i + 4 * lanes <= length; i += 4 * lanes) {
        s0 = step(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
        s1 = step(hn::LoadU(d, a + i + lanes), hn::LoadU(d, b + i + lanes), s1);
        s2 = step(hn::LoadU(d, a + i + 2 * lanes), hn::LoadU(d, b + i + 2 * lanes), s2);
        s3 = step(hn::LoadU(d, a + i + 3 * lanes), hn::LoadU(d, b + i + 3 * lanes), s3);
    }
    for (; i < length; i += lanes) s0 = step(hn::LoadU(d, a + i), hn::LoadU(d, b + i), s0);
    return hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

HWY_INLINE float dot_inline(const float* a, const float* b, std::size_t length) {
    return sum_floats(a, b, length, [](auto x, auto y, auto sum) HWY_ATTR { return hn::MulAdd(x, y, sum); });
}

HWY_INLINE float squared_l2_inline(const float* a, const float* b, std::size_t length) {
    return sum_floats(a, b, length, [](auto x, auto y, auto sum) HWY_ATTR {
        const auto difference = hn::Sub(x, y);
        return hn::MulAdd(difference, difference, sum);
    });
}

HWY_INLINE std::int32_t dot_i8_inline(const std::int8_t* HWY_RESTRICT a, const std::int8_t* HWY_RESTRICT b, std::size_t length) {
    const hn::CappedTag<std::int16_t, kCodePad / 2> d16;
    const hn::Rebind<std::int8_t, decltype(d16)> d8;
    const hn::RepartitionToWide<decltype(d16)> d32;
    const std::size_t lanes = hn::Lanes(d16);
    auto s0 = hn::Zero(d32);
    auto s1 = hn::Zero(d32);
    auto s2 = hn::Zero(d32);
    auto s3 = hn::Zero(d32);
    for (std::size_t i = 0; i < length; i += 2 * lanes) {
        s0 = hn::ReorderWidenMulAccumulate(d32, hn::PromoteTo(d16, hn::LoadU(d8, a + i)),
                                           hn::PromoteTo(d16, hn::LoadU(d8, b + i)), s0, s1);
        s2 = hn::ReorderWidenMulAccumulate(d32, hn::PromoteTo(d16, hn::LoadU(d8, a + i + lanes)),
                                           hn::PromoteTo(d16, hn::LoadU(d8, b + i + lanes)), s2, s3);
    }
    return hn::GetLane(hn::SumOfLanes(d32, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
}

float dot(const float* a, const float* b, std::size_t length) {
    return dot_inline(a, b, length);
}
float squared_l2(const float* a, const float* b, std::size_t length) {
    return squared_l2_inline(a, b, length);
}
std::int32_t dot_i8(const std::int8_t* a, const std::int8_t* b, std::size_t length) {
    return dot_i8_inline(a, b, length);
}

template <typename Element>
HWY_INLINE void prefetch_row(const Element* row, std::size_t length) {
    const char* bytes = reinterpret_cast<const char*>(row);
    for (std::size_t at = 0; at < length * sizeof(Element); at += kLineBytes) hwy::Prefetch(bytes + at);
}

template <typename Element, typename Result, typename Kernel>
HWY_INLINE void each_row(const Element* query, const Element* base, const std::uint32_t* rows, std::size_t count,
                         std::size_t length, Result* out, Kernel kernel) {
    if (rows == nullptr) {  // in order: the processor's own prefetcher does it
        for (std::size_t i = 0; i < count; ++i) out[i] = kernel(query, base + i * length, length);
        return;
    }
    for (std::size_t i = 0; i < count && i < kRowsAhead; ++i) prefetch_row(base + rows[i] * length, length);
    for (std::size_t i = 0; i < count; ++i) {
        if (i + kRowsAhead < count) prefetch_row(base + rows[i + kRowsAhead] * length, length);
        out[i] = kernel(query, base + rows[i] * length, length);
    }
}

void dot_rows(const float* query, const float* base, const std::uint32_t* rows, std::size_t count, std::size_t length,
              float* out) {
    each_row(query, base, rows, count, length, out,
             [](const float* a, const float* b, std::size_t n) HWY_ATTR { return dot_inline(a, b, n); });
}
void squared_l2_rows(const float* query, const float* base, const std::uint32_t* rows, std::size_t count, std::size_t length,
                     float* out) {
    each_row(query, base, rows, count, length, out,
             [](const float* a, const float* b, std::size_t n) HWY_ATTR { return squared_l2_inline(a, b, n); });
}
void dot_i8_rows(const std::int8_t* query, const std::int8_t* base, const std::uint32_t* rows, std::size_t count,
                 std::size_t length, std::int32_t* out) {
    each_row(query, base, rows, count, length, out,
             [](const std::int8_t* a, const std::int8_t* b, std::size_t n) HWY_ATTR { return dot_i8_inline(a, b, n); });
}

CodeSums encode(const float* HWY_RESTRICT values, std::size_t length, std::int8_t* HWY_RESTRICT codes) {
    const hn::CappedTag<float, kFloatPad> d;
    const hn::Rebind<std::int8_t, decltype(d)> d8;
    const std::size_t lanes = hn::Lanes(d);
    auto largest = hn::Zero(d);
    auto squared = hn::Zero(d);
    for (std::size_t i = 0; i < length; i += lanes) {
        const auto value = hn::LoadU(d, values + i);
        largest = hn::Max(largest, hn::Abs(value));
        squared = hn::MulAdd(value, value, squared);
    }
    CodeSums sums{hn::GetLane(hn::MaxOfLanes(d, largest)) / 127.0F, hn::GetLane(hn::SumOfLanes(d, squared)), 0};
    const auto inverse = hn::Set(d, code_steps(sums.scale));
    auto off = hn::Zero(d);
    for (std::size_t i = 0; i < length; i += lanes) {
        const auto steps = hn::Mul(hn::LoadU(d, values + i), inverse);
        const auto whole = hn::NearestInt(steps);
        const auto rest = hn::Sub(steps, hn::ConvertTo(d, whole));
        off = hn::MulAdd(rest, rest, off);
        hn::StoreU(hn::DemoteTo(d8, whole), d8, codes + i);
    }
    sums.squared_error = hn::GetLane(hn::SumOfLanes(d, off));
    return sums;
}

HWY_INLINE const PairShape& shape_of(const void* shape) {
    return *static_cast<const PairShape*>(shape);
}
HWY_INLINE const PairRow& row_of(const void* row, const PairShape& shape) {
    return *reinterpret_cast<const PairRow*>(static_cast<const char*>(row) + shape.bytes);
}
template <typename Element>
HWY_INLINE const Element* values_of(const void* row, const PairShape& shape) {
    return static_cast<const Element*>(shape.bytes > 0 ? row : row_of(row, shape).values);
}

float pair_dot(const void* a, const void* b, const void* data) {
    const PairShape& shape = shape_of(data);
    return -dot_inline(values_of<float>(a, shape), values_of<float>(b, shape), shape.length);
}
float pair_squared_l2(const void* a, const void* b, const void* data) {
    const PairShape& shape = shape_of(data);
    return squared_l2_inline(values_of<float>(a, shape), values_of<float>(b, shape), shape.length);
}
float pair_dot_i8(const void* a, const void* b, const void* data) {
    const PairShape& shape = shape_of(data);
    const std::int32_t dot = dot_i8_inline(values_of<std::int8_t>(a, shape), values_of<std::int8_t>(b, shape), shape.length);
    return -row_of(a, shape).scale * row_of(b, shape).scale * static_cast<float>(dot);
}
float pair_squared_l2_i8(const void* a, const void* b, const void* data) {
    const PairShape& shape = shape_of(data);
    return row_of(a, shape).squared_length + row_of(b, shape).squared_length + 2.0F * pair_dot_i8(a, b, data);
}

const Kernels* table() {
    static const Kernels kTable{hwy::TargetName(HWY_TARGET),
                                dot,
                                squared_l2,
                                dot_i8,
                                dot_rows,
                                squared_l2_rows,
                                dot_i8_rows,
                                encode,
                                pair_dot,
                                pair_squared_l2,
                                pair_dot_i8,
                                pair_squared_l2_i8};
    return &kTable;
}

}  // namespace rag::core::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core {

HWY_EXPORT(table);

const Kernels& kernels() {
    static const Kernels* const chosen = HWY_DYNAMIC_DISPATCH(table)();
    return *chosen;
}

}  // namespace rag::core
#endif
