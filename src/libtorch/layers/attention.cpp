#include "libtorch/layers/attention.hpp"

#include "libtorch/kernels/tile_attention.hpp"
#include "libtorch/layers/number_type.hpp"

namespace rag::core::libtorch {
namespace {

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

// What tiles compute: whole texts, plain scores.
bool fits_tiles(const AttentionShape& shape) {
    return shape.narrow && shape.head_dim % 32 == 0 && shape.kv_heads == shape.heads && shape.before == kernels::kEveryKey &&
           shape.after == kernels::kEveryKey && !(shape.softcap > 0.0F) && shape.distance_bias.empty() &&
           kernels::tiles_available();
}

at::Tensor attend_by_tiles(const at::Tensor& qkv, std::span<const std::int64_t> offsets, const AttentionShape& shape) {
    const std::int64_t width = shape.heads * shape.head_dim;
    const auto texts = static_cast<std::int64_t>(offsets.size()) - 1;
    at::Tensor out = at::empty({qkv.size(0), width}, at::kFloat);
    const float* rows = qkv.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    at::parallel_for(0, texts * shape.heads, 1, [&](std::int64_t begin, std::int64_t end) {
        std::int64_t longest = 0;
        for (std::int64_t text = begin / shape.heads; text <= (end - 1) / shape.heads; ++text) {
            longest = std::max(longest, offsets[static_cast<std::size_t>(text) + 1] - offsets[static_cast<std::size_t>(text)]);
        }
        const auto bytes = static_cast<std::int64_t>(kernels::tile_scratch(longest, shape.head_dim));
        at::Tensor scratch = at::empty({bytes}, at::kByte);  // aligned to 64 bytes
        for (std::int64_t task = begin; task < end; ++task) {
            const auto text = static_cast<std::size_t>(task / shape.heads);
            const std::int64_t first = offsets[text] - offsets[0];
            const std::int64_t column = task % shape.heads * shape.head_dim;
            kernels::TileHead head;
            head.queries = rows + first * qkv.stride(0) + column;
            head.keys = head.queries + width;
            head.values = head.keys + width;
            head.stride = qkv.stride(0);
            head.tokens = offsets[text + 1] - offsets[text];
            head.head_dim = shape.head_dim;
            head.scale = shape.scale;
            head.out = to + first * width + column;
            head.out_stride = width;
            kernels::attend_tiles(head, reinterpret_cast<std::byte*>(scratch.mutable_data_ptr<std::uint8_t>()));
        }
    });
    return out;
}

}  // namespace

at::Tensor attend_sequences(const at::Tensor& queries, std::span<const AttentionRows> sequences, const AttentionShape& shape) {
    const std::int64_t group = shape.heads / shape.kv_heads;
    at::Tensor out = at::empty({queries.size(0), shape.heads * shape.head_dim}, at::kFloat);
    std::vector<kernels::AttentionHead> tasks;
    tasks.reserve(sequences.size() * static_cast<std::size_t>(shape.kv_heads));
    std::int64_t row = 0;
    for (const AttentionRows& sequence : sequences) {
        const auto element_bytes = static_cast<std::int64_t>(c10::elementSize(sequence.keys.type));
        for (std::int64_t head = 0; head < shape.kv_heads; ++head) {
            const std::int64_t column = head * group * shape.head_dim;
            const std::int64_t offset = head * sequence.keys.head_stride * element_bytes;
            kernels::AttentionHead& task = tasks.emplace_back();
            task.queries = queries.const_data_ptr<float>() + row * queries.stride(0) + column;
            task.query_stride = queries.stride(0);
            task.positions = sequence.rows;
            task.group = group;
            task.key_type = number_type(sequence.keys.type);
            task.keys = static_cast<const std::byte*>(sequence.keys.keys) + offset;
            task.values = static_cast<const std::byte*>(sequence.keys.values) + offset;
            task.key_stride = sequence.keys.stride;
            if (sequence.keys.key_scales != nullptr) {
                task.key_scales = sequence.keys.key_scales + head * sequence.keys.scale_stride;
                task.value_scales = sequence.keys.value_scales + head * sequence.keys.scale_stride;
            }
            task.key_count = sequence.keys.count;
            task.head_dim = shape.head_dim;
            task.past = sequence.past;
            task.before = shape.before;
            task.after = shape.after;
            task.scale = shape.scale;
            task.softcap = shape.softcap;
            if (!shape.distance_bias.empty()) {
                task.distance_bias = shape.distance_bias.data() + head * (2 * shape.longest - 1) + shape.longest - 1;
            }
            task.out = out.mutable_data_ptr<float>() + row * out.size(1) + column;
            task.out_stride = out.size(1);
        }
        row += sequence.rows;
    }
    attend_heads(tasks);
    return out;
}

KeyView keys_in_rows(const at::Tensor& qkv, std::int64_t first_row, std::int64_t rows, const AttentionShape& shape) {
    const float* keys = qkv.const_data_ptr<float>() + first_row * qkv.stride(0) + shape.heads * shape.head_dim;
    return {at::kFloat, keys, keys + shape.kv_heads * shape.head_dim, qkv.stride(0), shape.head_dim, rows};
}

AttentionShape text_attention(std::int64_t heads, std::int64_t head_dim) {
    AttentionShape shape;
    shape.heads = shape.kv_heads = heads;
    shape.head_dim = head_dim;
    shape.scale = 1.0F / std::sqrt(static_cast<float>(head_dim));
    return shape;
}

at::Tensor attend_texts(const at::Tensor& qkv, std::span<const std::int64_t> offsets, const AttentionShape& shape) {
    if (fits_tiles(shape)) {
        return attend_by_tiles(qkv, offsets, shape);
    }
    std::vector<AttentionRows> texts;
    for (std::size_t text = 0; text + 1 < offsets.size(); ++text) {
        const std::int64_t tokens = offsets[text + 1] - offsets[text];
        texts.push_back({tokens, 0, keys_in_rows(qkv, offsets[text] - offsets[0], tokens, shape)});
    }
    return attend_sequences(qkv, texts, shape);
}

}  // namespace rag::core::libtorch
