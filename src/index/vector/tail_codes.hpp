// int8 codes of the rows of an index's tail, written as rows come, with what an exact scan must know of each: how far at most a
// dot product with the code is from one with the row. See tail_scan.hpp. Thread rule: one writer; a row that was published with
// its Rows is not written again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "index/vector/aligned_array.hpp"

namespace rag::core {

/// Of one row x with the code c: x is about scale * c.
struct TailMeta {
    float scale;
    float length;  // |x|
    float error;   // |x - scale * c|, at most
};

/// Writes padded_codes(dimension) codes of a row, which is [padded_floats(dimension)].
TailMeta encode_tail_row(const float* values, std::size_t dimension, std::int8_t* codes) noexcept;

class TailCodes {
  public:
    /// Throws std::bad_alloc.
    TailCodes(std::size_t dimension, std::size_t capacity);
    /// `values` is [padded_floats(dimension)].
    void set(std::size_t row, const float* values) noexcept;
    const std::int8_t* data() const noexcept { return codes_.data(); }
    std::size_t stride() const noexcept { return stride_; }
    const TailMeta& meta(std::size_t row) const noexcept { return metas_[row]; }

  private:
    std::size_t dimension_;
    std::size_t stride_;
    AlignedArray<std::int8_t> codes_;  // [capacity, stride]
    std::vector<TailMeta> metas_;
};

}  // namespace rag::core
