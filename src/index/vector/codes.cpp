#include "index/vector/codes.hpp"

#include <algorithm>
#include <cmath>

#include "index/vector/kernels.hpp"

namespace rag::core {

CodeMeta encode_row(const float* values, std::size_t dimension, std::int8_t* codes) noexcept {
    constexpr float kLargestCode = 127.0F;
    float largest = 0;
    double squared = 0;
    for (std::size_t i = 0; i < dimension; ++i) {
        largest = std::max(largest, std::abs(values[i]));
        squared += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    }
    const float scale = largest / kLargestCode;
    // A row so small that 1 / scale overflows is all zeros as far as float32 can tell.
    const float inverse = scale > 0 && std::isfinite(1.0F / scale) ? 1.0F / scale : 0.0F;
    for (std::size_t i = 0; i < dimension; ++i) {
        const float code = std::clamp(std::nearbyint(values[i] * inverse), -kLargestCode, kLargestCode);
        codes[i] = static_cast<std::int8_t>(code);
    }
    std::fill(codes + dimension, codes + padded_codes(dimension), std::int8_t{0});
    return {scale, static_cast<float>(squared)};
}

Codes::Codes(const Rows& rows, const Codes* base, const Progress& progress)
    : stride_(padded_codes(rows.dimension())), metas_(rows.size()), own_(rows.size() * stride_), codes_(own_.data()) {
    constexpr std::size_t kRowsPerReport = 4096;
    std::size_t row = 0;
    if (base != nullptr) {
        row = base->size();
        std::copy(base->metas_.begin(), base->metas_.end(), metas_.begin());
        std::copy_n(base->codes_, row * stride_, own_.data());
    }
    for (; row < metas_.size(); ++row) {
        if (row % kRowsPerReport == 0) report(progress, 0, 0);
        metas_[row] = encode_row(rows.vector(row), rows.dimension(), own_.data() + row * stride_);
    }
}

Codes::Codes(std::size_t dimension, std::vector<CodeMeta> metas, const std::int8_t* codes, std::shared_ptr<const void> owner)
    : stride_(padded_codes(dimension)), metas_(std::move(metas)), codes_(codes), owner_(std::move(owner)) {}

}  // namespace rag::core
