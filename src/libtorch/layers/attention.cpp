#include "libtorch/layers/attention.hpp"

#include "libtorch/kernels/attention.hpp"

namespace rag::core::libtorch {
namespace {

kernels::NumberType key_type(at::ScalarType type) {
    switch (type) {
        case at::kFloat:
            return kernels::NumberType::kFloat32;
        case at::kHalf:
            return kernels::NumberType::kFloat16;
        case at::kBFloat16:
            return kernels::NumberType::kBFloat16;
        default:
            fail(Code::kInternal, "keys of type ", c10::toString(type));
    }
}

std::int64_t block_count(const kernels::AttentionHead& head) {
    return at::divup(head.positions * head.group, kernels::attention_block_rows());
}

// Runs every block of every head, spread over the threads.
void attend_heads(std::span<const kernels::AttentionHead> heads) {
    std::vector<std::int64_t> first_block{0};
    for (const kernels::AttentionHead& head : heads) {
        first_block.push_back(first_block.back() + block_count(head));
    }
    at::parallel_for(0, first_block.back(), 1, [&](std::int64_t begin, std::int64_t end) {
        at::Tensor scratch = at::empty({kernels::attention_scratch(heads.front().head_dim)}, at::kFloat);  // aligned to 64 bytes
        auto at_block = std::upper_bound(first_block.begin(), first_block.end(), begin) - first_block.begin() - 1;
        for (std::int64_t block = begin; block < end; ++block) {
            while (block >= first_block[static_cast<std::size_t>(at_block) + 1]) {
                ++at_block;
            }
            const auto index = static_cast<std::size_t>(at_block);
            kernels::attend_block(heads[index], block - first_block[index], scratch.mutable_data_ptr<float>());
        }
    });
}

}  // namespace

at::Tensor attend_texts(const at::Tensor& qkv, std::span<const std::int64_t> offsets, std::int64_t heads) {
    const std::int64_t width = qkv.size(1) / 3;
    const std::int64_t head_dim = width / heads;
    at::Tensor out = at::empty({qkv.size(0), width}, at::kFloat);
    std::vector<kernels::AttentionHead> tasks;
    for (std::size_t text = 0; text + 1 < offsets.size(); ++text) {
        const std::int64_t begin = offsets[text] - offsets[0];
        const std::int64_t tokens = offsets[text + 1] - offsets[text];
        for (std::int64_t head = 0; head < heads; ++head) {
            const float* rows = qkv.const_data_ptr<float>() + begin * qkv.size(1) + head * head_dim;
            kernels::AttentionHead& task = tasks.emplace_back();
            task.queries = rows;
            task.query_stride = task.key_stride = qkv.size(1);
            task.positions = task.key_count = tokens;
            task.keys = rows + width;
            task.values = rows + 2 * width;
            task.head_dim = head_dim;
            task.out = out.mutable_data_ptr<float>() + begin * width + head * head_dim;
            task.out_stride = width;
        }
    }
    attend_heads(tasks);
    return out;
}

at::Tensor attend_cached(const at::Tensor& q, const at::Tensor& keys, const at::Tensor& values, std::int64_t past) {
    const std::int64_t rows = q.size(0);
    const std::int64_t head_dim = q.size(2);
    const std::int64_t group = q.size(1) / keys.size(0);
    at::Tensor out = at::empty({rows, q.size(1) * head_dim}, at::kFloat);
    std::vector<kernels::AttentionHead> tasks;
    for (std::int64_t head = 0; head < keys.size(0); ++head) {
        kernels::AttentionHead& task = tasks.emplace_back();
        task.queries = q.const_data_ptr<float>() + head * group * head_dim;
        task.query_stride = q.stride(0);
        task.positions = rows;
        task.group = group;
        task.key_type = key_type(keys.scalar_type());
        task.keys = keys[head].const_data_ptr();
        task.values = values[head].const_data_ptr();
        task.key_stride = head_dim;
        task.key_count = past + rows;
        task.head_dim = head_dim;
        task.past = past;
        task.out = out.mutable_data_ptr<float>() + head * group * head_dim;
        task.out_stride = out.size(1);
    }
    attend_heads(tasks);
    return out;
}

RotaryTable::RotaryTable(std::int64_t head_dim, double theta) : half_(head_dim / 2) {
    for (std::int64_t i = 0; i < half_; ++i) {
        const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
        frequencies_.push_back(1.0F / static_cast<float>(std::pow(theta, static_cast<double>(exponent))));
    }
}

void RotaryTable::reserve(std::int64_t positions) {
    const auto half = static_cast<std::size_t>(half_);
    for (std::size_t position = cosines_.size() / half; position < static_cast<std::size_t>(positions); ++position) {
        for (const float frequency : frequencies_) {
            const float angle = static_cast<float>(position) * frequency;
            cosines_.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
            sines_.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
        }
    }
}

void RotaryTable::rotate(float* x, std::int64_t rows, std::int64_t stride, std::int64_t heads, std::int64_t first) const {
    for (std::int64_t row = 0; row < rows; ++row) {
        const float* cosine = cosines_.data() + (first + row) * half_;
        const float* sine = sines_.data() + (first + row) * half_;
        for (std::int64_t head = 0; head < heads; ++head) {
            float* low = x + row * stride + head * 2 * half_;
            float* high = low + half_;
            for (std::int64_t i = 0; i < half_; ++i) {
                const float a = low[i];
                const float b = high[i];
                low[i] = a * cosine[i] - b * sine[i];
                high[i] = b * cosine[i] + a * sine[i];
            }
        }
    }
}

}  // namespace rag::core::libtorch
