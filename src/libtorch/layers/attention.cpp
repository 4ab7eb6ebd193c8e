#include "libtorch/layers/attention.hpp"

#include "libtorch/device/device_rows.hpp"
#include "libtorch/kernels/tile_attention.hpp"
#include "libtorch/layers/number_type.hpp"

namespace rag::core::libtorch {
namespace {

// A decoding step has fewer rows, and the other way reads its keys once.
constexpr std::int64_t kFewTileRows = 16;

std::int64_t rows_of(const kernels::AttentionHead& head) {
    return head.positions * head.group;
}

bool by_tiles(const kernels::AttentionHead& head) {
    return rows_of(head) >= kFewTileRows && kernels::fits_tiles(head);
}

// Memory aligned to 64 bytes.
class Scratch {
  public:
    explicit Scratch(std::size_t bytes) : memory_(at::empty({static_cast<std::int64_t>(bytes)}, at::kByte)) {}
    std::byte* data() { return reinterpret_cast<std::byte*>(memory_.mutable_data_ptr<std::uint8_t>()); }

  private:
    at::Tensor memory_;
};

// Runs every block of every head, spread over the threads.
void attend_by_vectors(std::span<const kernels::AttentionHead> heads) {
    std::vector<std::int64_t> first_block{0};
    for (const kernels::AttentionHead& head : heads) {
        first_block.push_back(first_block.back() + at::divup(rows_of(head), kernels::attention_block_rows()));
    }
    at::parallel_for(0, first_block.back(), 1, [&](std::int64_t begin, std::int64_t end) {
        Scratch scratch(static_cast<std::size_t>(kernels::attention_scratch(heads.front().head_dim)) * sizeof(float));
        auto at_block = std::upper_bound(first_block.begin(), first_block.end(), begin) - first_block.begin() - 1;
        for (std::int64_t block = begin; block < end; ++block) {
            while (block >= first_block[static_cast<std::size_t>(at_block) + 1]) {
                ++at_block;
            }
            const auto index = static_cast<std::size_t>(at_block);
            kernels::attend_block(heads[index], block - first_block[index], reinterpret_cast<float*>(scratch.data()));
        }
    });
}

// Keys that rows of this head see, rounded outwards to whole groups of tiles.
std::pair<std::int64_t, std::int64_t> seen_keys(const kernels::AttentionHead& head) {
    const std::int64_t begin = std::max<std::int64_t>(head.past - head.before, 0);
    const std::int64_t end = std::min(head.past + head.positions + head.after, head.key_count);
    return {begin / kernels::kTileKeys * kernels::kTileKeys, kernels::round_up(end, kernels::kTileKeys)};
}

// Each head by one thread.
void attend_whole_heads(std::span<const kernels::AttentionHead> heads) {
    at::parallel_for(0, static_cast<std::int64_t>(heads.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        std::int64_t most = 0;
        for (std::int64_t i = begin; i < end; ++i) {
            most = std::max(most, heads[static_cast<std::size_t>(i)].key_count);
        }
        const std::int64_t head_dim = heads.front().head_dim;
        Scratch packed(kernels::packed_keys_bytes(most, head_dim));
        Scratch scratch(kernels::tile_scratch(head_dim));
        for (std::int64_t i = begin; i < end; ++i) {
            const kernels::AttentionHead& head = heads[static_cast<std::size_t>(i)];
            const auto [first, last] = seen_keys(head);
            kernels::pack_keys(head, first, last - first, packed.data());
            for (std::int64_t block = 0; block * kernels::kTileBlockRows < rows_of(head); ++block) {
                kernels::attend_tiles(head, packed.data(), block, scratch.data());
            }
        }
    });
}

// One head after another, its keys and then its blocks spread over the threads: few heads, which may be long.
void attend_split_heads(std::span<const kernels::AttentionHead> heads) {
    constexpr std::int64_t kGroups = 8;  // of keys, that a thread lays out at least
    std::int64_t most = 0;
    for (const kernels::AttentionHead& head : heads) {
        most = std::max(most, head.key_count);
    }
    const std::int64_t head_dim = heads.front().head_dim;
    Scratch packed(kernels::packed_keys_bytes(most, head_dim));
    for (const kernels::AttentionHead& head : heads) {
        const auto [first, last] = seen_keys(head);
        at::parallel_for(
            first / kernels::kTileKeys, last / kernels::kTileKeys, kGroups, [&](std::int64_t begin, std::int64_t end) {
                kernels::pack_keys(head, begin * kernels::kTileKeys, (end - begin) * kernels::kTileKeys, packed.data());
            });
        // Later rows of a text see more keys. Threads take blocks from both ends, so that each gets as much work.
        const std::int64_t blocks = at::divup(rows_of(head), kernels::kTileBlockRows);
        at::parallel_for(0, at::divup(blocks, 2), 1, [&](std::int64_t begin, std::int64_t end) {
            Scratch scratch(kernels::tile_scratch(head_dim));
            for (std::int64_t i = begin; i < end; ++i) {
                kernels::attend_tiles(head, packed.data(), i, scratch.data());
                if (blocks - 1 - i != i) {
                    kernels::attend_tiles(head, packed.data(), blocks - 1 - i, scratch.data());
                }
            }
        });
    }
}

// Reorders the heads.
void attend_heads(std::vector<kernels::AttentionHead>& heads, bool narrow) {
    const bool tiles = narrow && kernels::tiles_available();
    const auto middle =
        std::partition(heads.begin(), heads.end(), [&](const kernels::AttentionHead& head) { return tiles && by_tiles(head); });
    const std::span tiled(heads.begin(), middle);
    const std::span others(middle, heads.end());
    constexpr std::size_t kHeadsOfThread = 4;
    if (tiled.size() >= kHeadsOfThread * static_cast<std::size_t>(at::get_num_threads())) {
        attend_whole_heads(tiled);
    } else if (!tiled.empty()) {
        attend_split_heads(tiled);
    }
    if (!others.empty()) {
        attend_by_vectors(others);
    }
}

// One sequence after another.
at::Tensor attend_on_device(const at::Tensor& queries, std::span<const AttentionRows> sequences, const AttentionShape& shape) {
    DeviceAttention attention;
    attention.scale = shape.scale;
    attention.before = shape.before;
    attention.after = shape.after;
    attention.softcap = shape.softcap;
    if (!shape.distance_bias.empty()) {
        attention.distance_bias = floats_on(queries.device(), shape.distance_bias, {shape.heads, 2 * shape.longest - 1});
    }
    const at::Tensor heads =
        queries.narrow(1, 0, shape.heads * shape.head_dim).view({queries.size(0), shape.heads, shape.head_dim});
    std::vector<at::Tensor> out;
    std::int64_t row = 0;
    for (const AttentionRows& sequence : sequences) {
        attention.past = sequence.past;
        const at::Tensor rows = heads.narrow(0, row, sequence.rows);
        out.push_back(device_attend(rows, sequence.keys.device_keys, sequence.keys.device_values, attention));
        row += sequence.rows;
    }
    return at::cat(out);
}

}  // namespace

at::Tensor attend_sequences(const at::Tensor& queries, std::span<const AttentionRows> sequences, const AttentionShape& shape) {
    if (!queries.is_cpu()) {
        return attend_on_device(queries, sequences, shape);
    }
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
    attend_heads(tasks, shape.narrow);
    return out;
}

KeyView keys_in_rows(const at::Tensor& qkv, std::int64_t first_row, std::int64_t rows, const AttentionShape& shape) {
    if (!qkv.is_cpu()) {
        const auto part = [&](std::int64_t column) {
            return qkv.narrow(0, first_row, rows)
                .narrow(1, column, shape.kv_heads * shape.head_dim)
                .view({rows, shape.kv_heads, shape.head_dim})
                .transpose(0, 1);
        };
        KeyView out;
        out.count = rows;
        out.device_keys = part(shape.heads * shape.head_dim);
        out.device_values = part((shape.heads + shape.kv_heads) * shape.head_dim);
        return out;
    }
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
    std::vector<AttentionRows> texts;
    for (std::size_t text = 0; text + 1 < offsets.size(); ++text) {
        const std::int64_t tokens = offsets[text + 1] - offsets[text];
        texts.push_back({tokens, 0, keys_in_rows(qkv, offsets[text] - offsets[0], tokens, shape)});
    }
    return attend_sequences(qkv, texts, shape);
}

}  // namespace rag::core::libtorch
