#include "libtorch/train/trained_pooling.hpp"

#include "libtorch/layers/pooling.hpp"

namespace rag::core::libtorch {
namespace {

// One text: `gradient` [columns] of one mode's vector into its tokens' rows [tokens, columns], which are added to. `x` are the
// rows that were pooled.
void spread(Pooling mode, const float* x, std::int64_t tokens, std::int64_t columns, std::int64_t first, const float* gradient,
            float* rows) {
    const auto add = [&](std::int64_t token, float factor) {
        for (std::int64_t c = 0; c < columns; ++c) {
            rows[token * columns + c] += factor * gradient[c];
        }
    };
    const std::int64_t counted = std::max<std::int64_t>(tokens - first, 0);
    switch (mode) {
        case Pooling::kMean:
        case Pooling::kMeanSqrtLength: {
            const auto count = static_cast<float>(counted);
            const float divisor = mode == Pooling::kMean ? count : std::sqrt(count);
            for (std::int64_t token = first; token < tokens; ++token) {
                add(token, 1.0F / divisor);
            }
            return;
        }
        case Pooling::kWeightedMean: {
            float total = 0.0F;
            for (std::int64_t token = first; token < tokens; ++token) {
                total += static_cast<float>(token + 1);
            }
            for (std::int64_t token = first; token < tokens; ++token) {
                add(token, static_cast<float>(token + 1) / total);
            }
            return;
        }
        case Pooling::kMax:
            for (std::int64_t c = 0; c < columns && counted > 0; ++c) {
                std::int64_t best = first;
                for (std::int64_t token = first + 1; token < tokens; ++token) {
                    best = x[token * columns + c] > x[best * columns + c] ? token : best;
                }
                rows[best * columns + c] += gradient[c];
            }
            return;
        case Pooling::kCls:
            return add(first < tokens ? first : 0, 1.0F);
        case Pooling::kLastToken:
            return add(tokens - 1, 1.0F);
    }
    fail(Code::kUnsupported, "pooling ", static_cast<std::uint32_t>(mode), " is unknown");
}

}  // namespace

at::Tensor pool_texts(std::span<const Pooling> modes, const TokenBatch& batch, const at::Tensor& x) {
    const std::int64_t columns = x.size(1);
    const auto width = columns * static_cast<std::int64_t>(modes.size());
    const std::vector<std::int64_t> offsets(batch.offsets.begin(), batch.offsets.end());
    const auto texts = static_cast<std::int64_t>(offsets.size()) - 1;
    const at::Tensor input = x.detach().contiguous();
    at::Tensor out = at::empty({texts, width}, at::kFloat);
    for (std::int64_t text = 0; text < texts; ++text) {
        const auto place = static_cast<std::size_t>(text);
        pool_rows(modes, input.const_data_ptr<float>() + offsets[place] * columns, offsets[place + 1] - offsets[place], columns,
                  batch.unpooled, out.mutable_data_ptr<float>() + text * width);
    }
    const std::vector<Pooling> kinds(modes.begin(), modes.end());
    return record(
        std::move(out), {x}, [kinds, offsets, input, columns, width, unpooled = batch.unpooled](const at::Tensor& gradient) {
            at::Tensor rows = at::zeros(input.sizes(), at::kFloat);
            const at::Tensor from = gradient.contiguous();
            for (std::size_t text = 0; text + 1 < offsets.size(); ++text) {
                const std::int64_t tokens = offsets[text + 1] - offsets[text];
                const float* vector = from.const_data_ptr<float>() + static_cast<std::int64_t>(text) * width;
                for (const Pooling mode : kinds) {
                    spread(mode, input.const_data_ptr<float>() + offsets[text] * columns, tokens, columns,
                           std::min(unpooled, tokens), vector, rows.mutable_data_ptr<float>() + offsets[text] * columns);
                    vector += columns;
                }
            }
            return std::vector<at::Tensor>{rows};
        });
}

}  // namespace rag::core::libtorch
