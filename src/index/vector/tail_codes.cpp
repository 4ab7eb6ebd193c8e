#include "index/vector/tail_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "index/vector/kernels.hpp"

namespace rag::core {

TailMeta encode_tail_row(const float* values, std::size_t dimension, std::int8_t* codes) noexcept {
    constexpr float kInflated = 1.001F;  // sums of floats are off by less
    const std::size_t length = padded_floats(dimension);
    const CodeSums sums = kernels().encode(values, length, codes);
    std::fill(codes + length, codes + padded_codes(dimension), std::int8_t{0});
    TailMeta meta{sums.scale, std::sqrt(sums.squared_length), 0};
    if (code_steps(sums.scale) > 0) {
        meta.error = std::sqrt(sums.squared_error) * sums.scale * kInflated;
    } else {  // the largest magnitude, everywhere
        meta.error = 127.0F * sums.scale * std::sqrt(static_cast<float>(dimension)) * kInflated;
    }
    return meta;
}

TailCodes::TailCodes(std::size_t dimension, std::size_t capacity)
    : dimension_(dimension), stride_(padded_codes(dimension)), metas_(capacity) {
    if (capacity > std::numeric_limits<std::size_t>::max() / stride_) throw std::bad_alloc();
    codes_ = AlignedArray<std::int8_t>(capacity * stride_);
}

void TailCodes::set(std::size_t row, const float* values) noexcept {
    metas_[row] = encode_tail_row(values, dimension_, codes_.data() + row * stride_);
}

}  // namespace rag::core
