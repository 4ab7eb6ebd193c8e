// How high the score of a row can be at most, told from int8 codes: a quarter of the memory says which rows floats must judge.
// For a query q with the code q' and a row x with the code x' (both times their scales):
//     |q.x - q'.x'| = |(q - q').x + q'.(x - x')| <= |q - q'| |x| + |q'| |x - x'|    (Cauchy and Schwarz)
// Both errors were measured when the codes were made, so no row is passed over that floats would have taken.
// Twin: the floats' own scores; never above the bound. Immutable: any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "index/vector/bounded_codes.hpp"
#include "index/vector/rows.hpp"

namespace rag::core {

class CodeBound {
  public:
    /// `query`: of the query's code. Scores are higher for nearer rows: dot products, negative squared distances.
    CodeBound(Metric metric, const BoundedMeta& query, std::size_t dimension) noexcept
        : l2_(metric == Metric::kL2),
          scale_(query.scale),
          length_(query.length),
          coded_length_(query.length + query.error),
          // Besides: floats are summed in at least 16 parts, and each addition is off by 2^-24 of what it adds up.
          own_error_(query.error + query.length * (1e-6F + 1e-8F * static_cast<float>(dimension))) {}

    /// `dot`: of the two codes.
    float operator()(const BoundedMeta& row, std::int32_t dot) const noexcept {
        const float product = scale_ * row.scale * static_cast<float>(dot) + own_error_ * row.length + coded_length_ * row.error;
        if (!l2_) return product;
        // The squares are as inexact as their sum is large.
        const float squares = length_ * length_ + row.length * row.length;
        return 2.0F * product - squares * (1.0F - 1e-6F);
    }

  private:
    bool l2_;
    float scale_;
    float length_;
    float coded_length_;
    float own_error_;
};

}  // namespace rag::core
