#include "libtorch/kernels/attention.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "libtorch/kernels/attention.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "libtorch/kernels/widen-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace rag::core::libtorch::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Lanes = hn::ScalableTag<float>;
using Vector = hn::Vec<Lanes>;

constexpr std::int64_t kKeyBlock = 128;
constexpr float kMasked = -1e30F;
// Below so many query rows the lanes hold the head's dimensions instead of queries.
constexpr std::int64_t kFewRows = 8;
// Rows of the left matrix that a register tile holds; each takes two registers of sums.
#if HWY_TARGET <= HWY_AVX3
constexpr std::int64_t kTile = 8;
#else
constexpr std::int64_t kTile = 4;
#endif

std::int64_t block_rows() {
    return 2 * static_cast<std::int64_t>(hn::Lanes(Lanes()));
}

// The parts of the scratch memory; `width` is block_rows().
struct Scratch {
    float* queries;  // [head_dim, width], scaled
    float* sums;     // [head_dim, width], the output before division
    float* scores;   // [kKeyBlock, width]
    float* maximum;  // [width]
    float* total;    // [width]
    float* keys;     // [kKeyBlock, head_dim], widened; only for 16-bit keys
    float* values;   // [kKeyBlock, head_dim]
};

Scratch split(float* memory, std::int64_t head_dim, std::int64_t width) {
    Scratch s{};
    for (auto [part, size] : {std::pair{&s.queries, head_dim * width}, std::pair{&s.sums, head_dim * width},
                              std::pair{&s.scores, kKeyBlock * width}, std::pair{&s.maximum, width}, std::pair{&s.total, width},
                              std::pair{&s.keys, kKeyBlock * head_dim}, std::pair{&s.values, kKeyBlock * head_dim}}) {
        *part = memory;
        memory += (size + 15) / 16 * 16;
    }
    return s;
}

// c[i, lanes] (+)= sum over k of a(i, k) * b[k, lanes] for kRows rows; a(i, k) = a[i * row_step + k * k_step].
template <std::int64_t kRows>
void MultiplyTile(const float* a, std::int64_t row_step, std::int64_t k_step, std::int64_t depth, const float* b,
                  std::int64_t width, bool accumulate, float* c) {
    const Lanes d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    Vector low[kRows];
    Vector high[kRows];
    for (std::int64_t i = 0; i < kRows; ++i) {
        low[i] = accumulate ? hn::Load(d, c + i * width) : hn::Zero(d);
        high[i] = accumulate ? hn::Load(d, c + i * width + lanes) : hn::Zero(d);
    }
    for (std::int64_t k = 0; k < depth; ++k) {
        const Vector b_low = hn::Load(d, b + k * width);
        const Vector b_high = hn::Load(d, b + k * width + lanes);
        for (std::int64_t i = 0; i < kRows; ++i) {
            const Vector factor = hn::Set(d, a[i * row_step + k * k_step]);
            low[i] = hn::MulAdd(factor, b_low, low[i]);
            high[i] = hn::MulAdd(factor, b_high, high[i]);
        }
    }
    for (std::int64_t i = 0; i < kRows; ++i) {
        hn::Store(low[i], d, c + i * width);
        hn::Store(high[i], d, c + i * width + lanes);
    }
}

void Multiply(const float* a, std::int64_t rows, std::int64_t row_step, std::int64_t k_step, std::int64_t depth, const float* b,
              std::int64_t width, bool accumulate, float* c) {
    std::int64_t i = 0;
    for (; i + kTile <= rows; i += kTile) {
        MultiplyTile<kTile>(a + i * row_step, row_step, k_step, depth, b, width, accumulate, c + i * width);
    }
    for (; i < rows; ++i) {
        MultiplyTile<1>(a + i * row_step, row_step, k_step, depth, b, width, accumulate, c + i * width);
    }
}

// Turns scores[keys, lanes] of one register column into exp(score - maximum), and rescales what was summed before.
void SoftmaxColumn(float* scores, std::int64_t keys, std::int64_t head_dim, std::int64_t width, float* maximum, float* total,
                   float* sums) {
    const Lanes d;
    const Vector before = hn::Load(d, maximum);
    Vector largest = before;
    for (std::int64_t j = 0; j < keys; ++j) {
        largest = hn::Max(largest, hn::Load(d, scores + j * width));
    }
    const Vector correction = hn::Exp(d, hn::Sub(before, largest));
    Vector sum = hn::Mul(hn::Load(d, total), correction);
    for (std::int64_t j = 0; j < keys; ++j) {
        const Vector p = hn::Exp(d, hn::Sub(hn::Load(d, scores + j * width), largest));
        sum = hn::Add(sum, p);
        hn::Store(p, d, scores + j * width);
    }
    hn::Store(largest, d, maximum);
    hn::Store(sum, d, total);
    if (!hn::AllTrue(d, hn::Eq(before, largest))) {
        for (std::int64_t i = 0; i < head_dim; ++i) {
            hn::Store(hn::Mul(hn::Load(d, sums + i * width), correction), d, sums + i * width);
        }
    }
}

template <typename T>
void WidenRows(const void* from, std::int64_t stride, std::int64_t first, std::int64_t rows, std::int64_t columns, float* to) {
    const Lanes d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t j = 0; j < rows; ++j) {
        const T* row = static_cast<const T*>(from) + (first + j) * stride;
        std::int64_t c = 0;
        for (; c + lanes <= columns; c += lanes) {
            hn::StoreU(WidenVector(row + c), d, to + j * columns + c);
        }
        for (; c < columns; ++c) {
            to[j * columns + c] = WidenScalar(row[c]);
        }
    }
}

void ScaleRows(const float* scales, std::int64_t rows, std::int64_t columns, float* x) {
    for (std::int64_t j = 0; j < rows; ++j) {
        std::transform(x + j * columns, x + (j + 1) * columns, x + j * columns, [=](float value) { return value * scales[j]; });
    }
}

// Keys or values first .. first + rows as float rows; returns the stride. `scales`: of kInt8.
const float* FloatRows(const AttentionHead& head, const void* from, const float* scales, std::int64_t first, std::int64_t rows,
                       float* scratch, std::int64_t& stride) {
    stride = head.head_dim;
    switch (head.key_type) {
        case NumberType::kInt8:
            WidenRows<std::int8_t>(from, head.key_stride, first, rows, head.head_dim, scratch);
            ScaleRows(scales + first, rows, head.head_dim, scratch);
            return scratch;
        case NumberType::kFloat16:
            WidenRows<hwy::float16_t>(from, head.key_stride, first, rows, head.head_dim, scratch);
            return scratch;
        case NumberType::kBFloat16:
            WidenRows<hwy::bfloat16_t>(from, head.key_stride, first, rows, head.head_dim, scratch);
            return scratch;
        case NumberType::kFloat32:
            break;
    }
    stride = head.key_stride;
    return static_cast<const float*>(from) + first * head.key_stride;
}

struct KeyRange {
    std::int64_t begin;
    std::int64_t end;
};

// The keys that a row sees; both ends grow with the row.
KeyRange VisibleKeys(const AttentionHead& head, std::int64_t row) {
    const std::int64_t own = head.past + row / head.group;
    return {std::max<std::int64_t>(own - head.before, 0), std::min(own + head.after + 1, head.key_count)};
}

// Scores of keys that a row may not see. `row` is the first of the block's rows.
void MaskScores(const AttentionHead& head, std::int64_t row, std::int64_t count, std::int64_t first_key, std::int64_t keys,
                std::int64_t width, float* scores) {
    for (std::int64_t r = 0; r < count; ++r) {
        const KeyRange visible = VisibleKeys(head, row + r);
        for (std::int64_t j = 0; j < std::min(visible.begin - first_key, keys); ++j) {
            scores[j * width + r] = kMasked;
        }
        for (std::int64_t j = std::max<std::int64_t>(visible.end - first_key, 0); j < keys; ++j) {
            scores[j * width + r] = kMasked;
        }
    }
}

// `count` is rounded up to whole vectors.
void CapScores(float cap, std::int64_t count, float* scores) {
    const Lanes d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const Vector factor = hn::Set(d, cap);
    const Vector inverse = hn::Set(d, 1.0F / cap);
    for (std::int64_t i = 0; i < count; i += lanes) {
        hn::StoreU(hn::Mul(factor, hn::Tanh(d, hn::Mul(hn::LoadU(d, scores + i), inverse))), d, scores + i);
    }
}

// Every pair of places gets the bias of its distance.
void AddDistanceBias(const AttentionHead& head, std::int64_t row, std::int64_t count, std::int64_t first_key, std::int64_t keys,
                     std::int64_t width, float* scores) {
    for (std::int64_t j = 0; j < keys; ++j) {
        for (std::int64_t r = 0; r < count; ++r) {
            scores[j * width + r] += head.distance_bias[first_key + j - head.past - (row + r) / head.group];
        }
    }
}

void LoadQueries(const AttentionHead& head, std::int64_t row, std::int64_t count, std::int64_t width, float* to) {
    std::fill_n(to, head.head_dim * width, 0.0F);
    for (std::int64_t r = 0; r < count; ++r) {
        const float* from = head.queries + (row + r) / head.group * head.query_stride + (row + r) % head.group * head.head_dim;
        for (std::int64_t k = 0; k < head.head_dim; ++k) {
            to[k * width + r] = from[k] * head.scale;
        }
    }
}

void StoreOutput(const AttentionHead& head, std::int64_t row, std::int64_t count, std::int64_t width, const Scratch& s) {
    for (std::int64_t r = 0; r < count; ++r) {
        float* to = head.out + (row + r) / head.group * head.out_stride + (row + r) % head.group * head.head_dim;
        const float inverse = 1.0F / s.total[r];
        for (std::int64_t k = 0; k < head.head_dim; ++k) {
            to[k] = s.sums[k * width + r] * inverse;
        }
    }
}

// The rows of one block, queries along the lanes.
void AttendMany(const AttentionHead& head, std::int64_t row, std::int64_t count, float* memory) {
    const std::int64_t width = block_rows();
    const Scratch s = split(memory, head.head_dim, width);
    LoadQueries(head, row, count, width, s.queries);
    std::fill_n(s.sums, head.head_dim * width, 0.0F);
    std::fill_n(s.maximum, width, kMasked);
    std::fill_n(s.total, width, 0.0F);
    const KeyRange of_first = VisibleKeys(head, row);
    const KeyRange of_last = VisibleKeys(head, row + count - 1);
    const std::int64_t half = width / 2;
    for (std::int64_t first = of_first.begin; first < of_last.end; first += kKeyBlock) {
        const std::int64_t keys = std::min(kKeyBlock, of_last.end - first);
        std::int64_t stride = 0;
        const float* key_rows = FloatRows(head, head.keys, head.key_scales, first, keys, s.keys, stride);
        Multiply(key_rows, keys, stride, 1, head.head_dim, s.queries, width, false, s.scores);
        if (head.softcap > 0.0F) {
            CapScores(head.softcap, keys * width, s.scores);
        }
        if (head.distance_bias != nullptr) {
            AddDistanceBias(head, row, count, first, keys, width, s.scores);
        }
        if (first < of_last.begin || first + keys > of_first.end) {
            MaskScores(head, row, count, first, keys, width, s.scores);
        }
        SoftmaxColumn(s.scores, keys, head.head_dim, width, s.maximum, s.total, s.sums);
        SoftmaxColumn(s.scores + half, keys, head.head_dim, width, s.maximum + half, s.total + half, s.sums + half);
        const float* value_rows = FloatRows(head, head.values, head.value_scales, first, keys, s.values, stride);
        Multiply(value_rows, head.head_dim, 1, stride, keys, s.scores, width, true, s.sums);
    }
    StoreOutput(head, row, count, width, s);
}

// Scores of kRows queries [kRows, head_dim] for some keys, [kRows, kKeyBlock].
template <std::int64_t kRows, typename T>
void FewScores(const float* queries, const T* keys, std::int64_t stride, std::int64_t count, std::int64_t head_dim,
               float* scores) {
    const Lanes d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t j = 0; j < count; ++j) {
        const T* key = keys + j * stride;
        Vector sums[kRows];
        for (std::int64_t r = 0; r < kRows; ++r) {
            sums[r] = hn::Zero(d);
        }
        for (std::int64_t c = 0; c < head_dim; c += lanes) {
            const Vector part = WidenVector(key + c);
            for (std::int64_t r = 0; r < kRows; ++r) {
                sums[r] = hn::MulAdd(part, hn::LoadU(d, queries + r * head_dim + c), sums[r]);
            }
        }
        for (std::int64_t r = 0; r < kRows; ++r) {
            scores[r * kKeyBlock + j] = hn::GetLane(hn::SumOfLanes(d, sums[r]));
        }
    }
}

// sums[kRows, head_dim] = correction[r] * sums + weights[kRows, kKeyBlock] * values
template <std::int64_t kRows, typename T>
void FewSums(const float* weights, const T* values, std::int64_t stride, std::int64_t count, std::int64_t head_dim,
             const float* correction, float* sums) {
    const Lanes d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (std::int64_t c = 0; c < head_dim; c += lanes) {
        Vector parts[kRows];
        for (std::int64_t r = 0; r < kRows; ++r) {
            parts[r] = hn::Mul(hn::LoadU(d, sums + r * head_dim + c), hn::Set(d, correction[r]));
        }
        for (std::int64_t j = 0; j < count; ++j) {
            const Vector value = WidenVector(values + j * stride + c);
            for (std::int64_t r = 0; r < kRows; ++r) {
                parts[r] = hn::MulAdd(hn::Set(d, weights[r * kKeyBlock + j]), value, parts[r]);
            }
        }
        for (std::int64_t r = 0; r < kRows; ++r) {
            hn::StoreU(parts[r], d, sums + r * head_dim + c);
        }
    }
}

// exp(score - maximum) of one row's block, padded with masked scores to whole vectors; returns the correction of earlier sums.
float FewSoftmax(float* scores, std::int64_t count, float& maximum, float& total) {
    const Lanes d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t padded = (count + lanes - 1) / lanes * lanes;
    std::fill(scores + count, scores + padded, kMasked);
    Vector largest = hn::Set(d, maximum);
    for (std::int64_t j = 0; j < padded; j += lanes) {
        largest = hn::Max(largest, hn::LoadU(d, scores + j));
    }
    const float after = hn::GetLane(hn::MaxOfLanes(d, largest));
    const Vector shift = hn::Set(d, after);
    Vector sum = hn::Zero(d);
    for (std::int64_t j = 0; j < padded; j += lanes) {
        const Vector p = hn::Exp(d, hn::Sub(hn::LoadU(d, scores + j), shift));
        sum = hn::Add(sum, p);
        hn::StoreU(p, d, scores + j);
    }
    const float correction = std::exp(maximum - after);
    total = total * correction + hn::GetLane(hn::SumOfLanes(d, sum));
    maximum = after;
    return correction;
}

// Scores or weights times the scales of their keys or values, which bytes alone have.
template <typename T>
void ScaleFew(const float* scales, std::int64_t first, std::int64_t count, float* x) {
    if constexpr (std::is_same_v<T, std::int8_t>) {
        std::transform(x, x + count, scales + first, x, [](float value, float scale) { return value * scale; });
    }
}

// kRows rows from `row` on, head_dim along the lanes (a multiple of them).
template <std::int64_t kRows, typename T>
void AttendFew(const AttentionHead& head, std::int64_t row, float* memory) {
    float* queries = memory;
    float* sums = queries + kRows * head.head_dim;
    float* scores = sums + kRows * head.head_dim;  // [kRows, kKeyBlock]
    float maximum[kRows];
    float total[kRows];
    float correction[kRows];
    for (std::int64_t r = 0; r < kRows; ++r) {
        const float* from = head.queries + (row + r) / head.group * head.query_stride + (row + r) % head.group * head.head_dim;
        std::transform(from, from + head.head_dim, queries + r * head.head_dim,
                       [&head](float value) { return value * head.scale; });
        maximum[r] = kMasked;
        total[r] = 0.0F;
    }
    std::fill_n(sums, kRows * head.head_dim, 0.0F);
    const std::int64_t all = VisibleKeys(head, row + kRows - 1).end;
    for (std::int64_t first = VisibleKeys(head, row).begin; first < all; first += kKeyBlock) {
        const std::int64_t keys = std::min(kKeyBlock, all - first);
        const std::int64_t offset = first * head.key_stride;
        FewScores<kRows>(queries, static_cast<const T*>(head.keys) + offset, head.key_stride, keys, head.head_dim, scores);
        for (std::int64_t r = 0; r < kRows; ++r) {
            float* of_row = scores + r * kKeyBlock;
            ScaleFew<T>(head.key_scales, first, keys, of_row);
            if (head.softcap > 0.0F) {
                CapScores(head.softcap, keys, of_row);
            }
            const KeyRange visible = VisibleKeys(head, row + r);
            std::fill(of_row, of_row + std::clamp<std::int64_t>(visible.begin - first, 0, keys), kMasked);
            std::fill(of_row + std::clamp<std::int64_t>(visible.end - first, 0, keys), of_row + keys, kMasked);
            correction[r] = FewSoftmax(of_row, keys, maximum[r], total[r]);
            ScaleFew<T>(head.value_scales, first, keys, of_row);
        }
        FewSums<kRows>(scores, static_cast<const T*>(head.values) + offset, head.key_stride, keys, head.head_dim, correction,
                       sums);
    }
    for (std::int64_t r = 0; r < kRows; ++r) {
        float* to = head.out + (row + r) / head.group * head.out_stride + (row + r) % head.group * head.head_dim;
        const float inverse = 1.0F / total[r];
        std::transform(sums + r * head.head_dim, sums + (r + 1) * head.head_dim, to,
                       [inverse](float sum) { return sum * inverse; });
    }
}

template <typename T>
void AttendFewRows(const AttentionHead& head, std::int64_t row, std::int64_t count, float* memory) {
    const std::int64_t end = row + count;
    for (; row + 3 <= end && end - row != 4; row += 3) {
        AttendFew<3, T>(head, row, memory);
    }
    for (; row + 2 <= end; row += 2) {
        AttendFew<2, T>(head, row, memory);
    }
    if (row < end) {
        AttendFew<1, T>(head, row, memory);
    }
}

void AttendBlock(const AttentionHead& head, std::int64_t block, float* memory) {
    const std::int64_t width = block_rows();
    const std::int64_t row = block * width;
    const std::int64_t count = std::min(width, head.positions * head.group - row);
    if (count > kFewRows || head.distance_bias != nullptr || head.head_dim % (width / 2) != 0) {
        return AttendMany(head, row, count, memory);
    }
    switch (head.key_type) {
        case NumberType::kFloat32:
            return AttendFewRows<float>(head, row, count, memory);
        case NumberType::kFloat16:
            return AttendFewRows<hwy::float16_t>(head, row, count, memory);
        case NumberType::kBFloat16:
            return AttendFewRows<hwy::bfloat16_t>(head, row, count, memory);
        case NumberType::kInt8:
            return AttendFewRows<std::int8_t>(head, row, count, memory);
    }
}

std::int64_t BlockRows() {
    return block_rows();
}

}  // namespace HWY_NAMESPACE
}  // namespace rag::core::libtorch::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rag::core::libtorch::kernels {

HWY_EXPORT(AttendBlock);
HWY_EXPORT(BlockRows);

std::int64_t attention_block_rows() {
    return HWY_DYNAMIC_DISPATCH(BlockRows)();
}

std::int64_t attention_scratch(std::int64_t head_dim) {
    constexpr std::int64_t kKeys = 128;
    const std::int64_t width = attention_block_rows();
    return 2 * head_dim * width + kKeys * width + 2 * width + 2 * kKeys * head_dim + 7 * 16;
}

void attend_block(const AttentionHead& head, std::int64_t block, float* scratch) {
    HWY_DYNAMIC_DISPATCH(AttendBlock)(head, block, scratch);
}

}  // namespace rag::core::libtorch::kernels
#endif
