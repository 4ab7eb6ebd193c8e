// int8 codes of rows whose floats decide, written as rows come, with what an exact search must know of each: how far at most a
// dot product with the code is from one with the row. See code_bound.hpp. Thread rule: one writer; a row that was published with
// its Rows is not written again. Codes of a file are not written at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "index/vector/aligned_array.hpp"

namespace rag::core {

/// Of one row x with the code c: x is about scale * c.
struct BoundedMeta {
    float scale;
    float length;  // |x|
    float error;   // |x - scale * c|, at most
    friend bool operator==(const BoundedMeta&, const BoundedMeta&) = default;
};

/// Writes padded_codes(dimension) codes of a row, which is [padded_floats(dimension)].
BoundedMeta encode_bounded_row(const float* values, std::size_t dimension, std::int8_t* codes) noexcept;

class BoundedCodes {
  public:
    /// Throws std::bad_alloc.
    BoundedCodes(std::size_t dimension, std::size_t capacity);
    /// The first `kept` codes are those of `base`: kept() of them are there already, the others are to be set.
    BoundedCodes(const BoundedCodes& base, std::size_t kept, std::size_t capacity);
    /// Codes of a file: [metas.size(), padded_codes(dimension)], living as long as `owner`.
    BoundedCodes(std::size_t dimension, std::vector<BoundedMeta> metas, const std::int8_t* codes,
                 std::shared_ptr<const void> owner);
    /// `values` is [padded_floats(dimension)].
    void set(std::size_t row, const float* values) noexcept;
    const std::int8_t* data() const noexcept { return codes_; }
    const std::int8_t* row(std::size_t index) const noexcept { return codes_ + index * stride_; }
    std::size_t stride() const noexcept { return stride_; }
    const BoundedMeta& meta(std::size_t row) const noexcept { return metas_[row]; }
    std::size_t kept() const noexcept { return own_.kept() / stride_; }
    const std::vector<BoundedMeta>& metas() const noexcept { return metas_; }

  private:
    std::size_t dimension_;
    std::size_t stride_;
    GrowingArray<std::int8_t> own_;  // [capacity, stride]
    const std::int8_t* codes_;
    std::vector<BoundedMeta> metas_;
    std::shared_ptr<const void> owner_;
};

}  // namespace rag::core
