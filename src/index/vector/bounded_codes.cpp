#include "index/vector/bounded_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>

#include "index/vector/kernels.hpp"

namespace rag::core {

BoundedMeta encode_bounded_row(const float* values, std::size_t dimension, std::int8_t* codes) noexcept {
    constexpr float kInflated = 1.001F;  // sums of floats are off by less
    const std::size_t length = padded_floats(dimension);
    const CodeSums sums = kernels().encode(values, length, codes);
    std::fill(codes + length, codes + padded_codes(dimension), std::int8_t{0});
    BoundedMeta meta{sums.scale, std::sqrt(sums.squared_length), 0};
    if (code_steps(sums.scale) > 0) {
        meta.error = std::sqrt(sums.squared_error) * sums.scale * kInflated;
    } else {  // the largest magnitude, everywhere
        meta.error = 127.0F * sums.scale * std::sqrt(static_cast<float>(dimension)) * kInflated;
    }
    return meta;
}

BoundedCodes::BoundedCodes(std::size_t dimension, std::size_t capacity)
    : dimension_(dimension), stride_(padded_codes(dimension)), codes_(nullptr), metas_(capacity) {
    if (capacity > std::numeric_limits<std::size_t>::max() / stride_) throw std::bad_alloc();
    own_ = GrowingArray<std::int8_t>(capacity * stride_);
    codes_ = own_.data();
}

BoundedCodes::BoundedCodes(const BoundedCodes& base, std::size_t kept, std::size_t capacity)
    : dimension_(base.dimension_), stride_(base.stride_), codes_(nullptr), metas_(capacity) {
    if (capacity > std::numeric_limits<std::size_t>::max() / stride_) throw std::bad_alloc();
    own_ = GrowingArray<std::int8_t>(base.own_, kept * stride_, capacity * stride_);
    codes_ = own_.data();
    std::copy_n(base.metas_.begin(), this->kept(), metas_.begin());
}

BoundedCodes::BoundedCodes(std::size_t dimension, std::vector<BoundedMeta> metas, const std::int8_t* codes,
                           std::shared_ptr<const void> owner)
    : dimension_(dimension),
      stride_(padded_codes(dimension)),
      codes_(codes),
      metas_(std::move(metas)),
      owner_(std::move(owner)) {}

void BoundedCodes::set(std::size_t row, const float* values) noexcept {
    metas_[row] = encode_bounded_row(values, dimension_, own_.data() + row * stride_);
}

}  // namespace rag::core
