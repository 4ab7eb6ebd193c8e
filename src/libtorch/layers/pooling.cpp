#include "libtorch/layers/pooling.hpp"

#include <limits>

namespace rag::core::libtorch {
namespace {

// out[columns] = sum over the tokens from `first` on of weight(token) * row; returns the sum of the weights.
template <typename Weight>
float weighted_sum(const float* rows, std::int64_t first, std::int64_t tokens, std::int64_t columns, Weight weight, float* out) {
    std::fill_n(out, columns, 0.0F);
    float total = 0.0F;
    for (std::int64_t token = first; token < tokens; ++token) {
        const float* row = rows + token * columns;
        const float factor = weight(token);
        total += factor;
        for (std::int64_t c = 0; c < columns; ++c) {
            out[c] += factor * row[c];
        }
    }
    return total;
}

void divide(float* out, std::int64_t columns, float by) {
    const float divisor = std::max(by, 1e-9F);  // as sentence-transformers
    for (std::int64_t c = 0; c < columns; ++c) {
        out[c] /= divisor;
    }
}

void maximum(const float* rows, std::int64_t first, std::int64_t tokens, std::int64_t columns, float* out) {
    std::fill_n(out, columns, -std::numeric_limits<float>::infinity());
    for (std::int64_t token = first; token < tokens; ++token) {
        const float* row = rows + token * columns;
        for (std::int64_t c = 0; c < columns; ++c) {
            out[c] = std::max(out[c], row[c]);
        }
    }
}

void pool_one(Pooling mode, const float* rows, std::int64_t tokens, std::int64_t columns, std::int64_t first, float* out) {
    const auto one = [](std::int64_t) { return 1.0F; };
    switch (mode) {
        case Pooling::kMean:
            return divide(out, columns, weighted_sum(rows, first, tokens, columns, one, out));
        case Pooling::kMeanSqrtLength:
            return divide(out, columns, std::sqrt(weighted_sum(rows, first, tokens, columns, one, out)));
        case Pooling::kWeightedMean: {
            const auto place = [](std::int64_t token) { return static_cast<float>(token + 1); };
            return divide(out, columns, weighted_sum(rows, first, tokens, columns, place, out));
        }
        case Pooling::kMax:
            return maximum(rows, first, tokens, columns, out);
        case Pooling::kCls:
            std::copy_n(rows + (first < tokens ? first : 0) * columns, columns, out);
            return;
        case Pooling::kLastToken:
            std::copy_n(rows + (tokens - 1) * columns, columns, out);
            return;
    }
    fail(Code::kUnsupported, "pooling ", static_cast<std::uint32_t>(mode), " is unknown");
}

}  // namespace

void pool_rows(std::span<const Pooling> modes, const float* rows, std::int64_t tokens, std::int64_t columns,
               std::int64_t unpooled, float* out) {
    for (const Pooling mode : modes) {
        pool_one(mode, rows, tokens, columns, std::min(unpooled, tokens), out);
        out += columns;
    }
}

}  // namespace rag::core::libtorch
