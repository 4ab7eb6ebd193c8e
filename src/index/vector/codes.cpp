#include "index/vector/codes.hpp"

#include <algorithm>

#include "index/vector/kernels.hpp"

namespace rag::core {

CodeMeta encode_row(const float* values, std::size_t dimension, std::int8_t* codes) noexcept {
    const std::size_t length = padded_floats(dimension);
    const CodeSums sums = kernels().encode(values, length, codes);
    std::fill(codes + length, codes + padded_codes(dimension), std::int8_t{0});
    return {sums.scale, sums.squared_length};
}

Codes::Codes(const Rows& rows, const Codes* base, const Progress& progress)
    : stride_(padded_codes(rows.dimension())),
      metas_(rows.size()),
      own_(base == nullptr ? GrowingArray<std::int8_t>(rows.size() * stride_)
                           : GrowingArray<std::int8_t>(base->own_, base->size() * stride_, rows.size() * stride_)),
      codes_(own_.data()) {
    constexpr std::size_t kRowsPerReport = 256;
    const std::size_t copied = base == nullptr ? 0 : base->size();
    for (std::size_t row = 0; row < metas_.size(); ++row) {
        if (row % kRowsPerReport == 0) report(progress, 0, 0);
        std::int8_t* const to = own_.data() + row * stride_;
        if (row < copied) {
            metas_[row] = base->metas_[row];
            if (row * stride_ >= own_.kept()) std::copy_n(base->row(row), stride_, to);
        } else {
            metas_[row] = encode_row(rows.vector(row), rows.dimension(), to);
        }
    }
}

Codes::Codes(std::size_t dimension, std::vector<CodeMeta> metas, const std::int8_t* codes, std::shared_ptr<const void> owner)
    : stride_(padded_codes(dimension)), metas_(std::move(metas)), codes_(codes), owner_(std::move(owner)) {}

bool codes_tell_apart(const Rows& rows) {
    constexpr std::size_t kSample = 256;
    constexpr double kLargestBlur = 0.1;  // of what products of the rows differ by
    const std::size_t count = std::min(kSample, rows.size());
    std::vector<double> mean(rows.dimension());
    double squared = 0;
    double error = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t row = i * rows.size() / count;
        const BoundedMeta& meta = rows.codes()->meta(row);
        squared += static_cast<double>(meta.length) * static_cast<double>(meta.length);
        error += static_cast<double>(meta.error) * static_cast<double>(meta.error);
        for (std::size_t at = 0; at < mean.size(); ++at) mean[at] += static_cast<double>(rows.vector(row)[at]);
    }
    double spread = squared * static_cast<double>(count);  // of the rows around their mean, times count^2
    for (const double sum : mean) spread -= sum * sum;
    // Of d values each, a product differs by about spread / sqrt(d), and by codes is off by length * error * sqrt(2 / d).
    return 2 * squared * error * static_cast<double>(count * count) <= kLargestBlur * kLargestBlur * spread * spread;
}

}  // namespace rag::core
