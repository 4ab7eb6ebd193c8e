#include "libtorch/kv_cache/kv_cache.hpp"

#include <numeric>

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kFirstCapacity = 256;
constexpr std::int64_t kRowGrain = 64;  // rows that are worth another thread

template <typename T>
void write_heads(const float* from, std::int64_t rows, std::int64_t stride, T* to, std::int64_t kv_heads, std::int64_t capacity,
                 std::int64_t head_dim) {
    at::parallel_for(0, rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            for (std::int64_t head = 0; head < kv_heads; ++head) {
                const float* source = from + row * stride + head * head_dim;
                T* target = to + (head * capacity + row) * head_dim;
                for (std::int64_t c = 0; c < head_dim; ++c) {
                    target[c] = static_cast<T>(source[c]);
                }
            }
        }
    });
}

// Bytes of -127..127 and the scale of each head and row.
void quantize_heads(const float* from, std::int64_t rows, std::int64_t stride, std::int8_t* to, float* scales,
                    std::int64_t kv_heads, std::int64_t capacity, std::int64_t head_dim) {
    at::parallel_for(0, rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            for (std::int64_t head = 0; head < kv_heads; ++head) {
                const float* source = from + row * stride + head * head_dim;
                const float largest = std::accumulate(source, source + head_dim, 0.0F,
                                                      [](float most, float value) { return std::max(most, std::fabs(value)); });
                const float inverse = largest > 0.0F ? 127.0F / largest : 0.0F;
                scales[head * capacity + row] = largest / 127.0F;
                std::int8_t* target = to + (head * capacity + row) * head_dim;
                for (std::int64_t c = 0; c < head_dim; ++c) {
                    target[c] = static_cast<std::int8_t>(std::clamp(std::nearbyint(source[c] * inverse), -127.0F, 127.0F));
                }
            }
        }
    });
}

}  // namespace

KvCache::KvCache(std::int64_t kv_heads, std::int64_t head_dim, std::int64_t context_length, at::ScalarType type,
                 std::int64_t layers, std::int64_t window, std::span<const std::uint8_t> windowed)
    : kv_heads_(kv_heads), head_dim_(head_dim), context_length_(context_length), type_(type), groups_(2) {
    groups_[1].window = window;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
        Group& group = groups_[!windowed.empty() && windowed[static_cast<std::size_t>(layer)] != 0 ? 1 : 0];
        places_.push_back({static_cast<std::size_t>(&group - groups_.data()), group.pieces.size() / 2});
        group.pieces.resize(group.pieces.size() + 2);
        group.scales.resize(type == at::kChar ? group.pieces.size() : 0);
    }
}

void KvCache::reserve(std::int64_t length, std::int64_t end, std::int64_t oldest) {
    for (Group& group : groups_) {
        reserve_group(group, length, end, oldest);
    }
}

void KvCache::reserve_group(Group& group, std::int64_t length, std::int64_t end, std::int64_t oldest) const {
    if (group.pieces.empty()) {
        return;
    }
    // After a cut to nothing the piece begins anew.
    if (length == 0) {
        group.base = 0;
    }
    if (end - group.base <= group.capacity) {
        return;
    }
    const std::int64_t kept = group.window == 0 ? 0 : std::max(group.base, oldest - (group.window - 1));
    const std::int64_t needed = end - kept;
    // Shifting for every few tokens would cost more than the memory that it saves: as much must become free as half of what
    // moves.
    if (needed <= group.capacity && 2 * (kept - group.base) >= length - kept) {
        return shift(group, kept, length);
    }
    grow(group, kept, length, std::min(context_length_, std::max({needed + needed / 8, 2 * (length - kept), kFirstCapacity})));
}

std::vector<at::Tensor> KvCache::grown(const Group& group, const std::vector<at::Tensor>& old, at::ScalarType type,
                                       std::int64_t kept, std::int64_t length, std::int64_t capacity) const {
    std::vector<at::Tensor> out;
    for (const at::Tensor& piece : old) {
        out.push_back(at::empty({kv_heads_, capacity, &old == &group.scales ? 1 : head_dim_}, type));
        if (length > kept) {
            out.back().narrow(1, 0, length - kept).copy_(piece.narrow(1, kept - group.base, length - kept));
        }
    }
    return out;
}

void KvCache::grow(Group& group, std::int64_t kept, std::int64_t length, std::int64_t capacity) const {
    std::vector<at::Tensor> pieces = grown(group, group.pieces, type_, kept, length, capacity);
    std::vector<at::Tensor> scales = grown(group, group.scales, at::kFloat, kept, length, capacity);
    group.pieces = std::move(pieces);
    group.scales = std::move(scales);
    group.base = kept;
    group.capacity = capacity;
}

void KvCache::shift(Group& group, std::int64_t kept, std::int64_t length) const {
    std::vector<at::Tensor> all = group.pieces;
    all.insert(all.end(), group.scales.begin(), group.scales.end());
    for (const at::Tensor& piece : all) {
        const auto row = static_cast<std::size_t>(piece.size(2)) * piece.element_size();
        auto* bytes = static_cast<std::byte*>(piece.mutable_data_ptr());
        for (std::int64_t head = 0; head < kv_heads_; ++head) {
            std::byte* begin = bytes + static_cast<std::size_t>(head * group.capacity) * row;
            std::memmove(begin, begin + static_cast<std::size_t>(kept - group.base) * row,
                         static_cast<std::size_t>(length - kept) * row);
        }
    }
    group.base = kept;
}

void KvCache::write(std::size_t layer, std::int64_t first, std::int64_t rows, const float* keys, const float* values,
                    std::int64_t stride) {
    const Place place = places_[layer];
    const Group& group = groups_[place.group];
    const std::int64_t offset = (first - group.base) * head_dim_;
    for (const auto& [from, index] : {std::pair{keys, 2 * place.index}, std::pair{values, 2 * place.index + 1}}) {
        const at::Tensor& piece = group.pieces[index];
        if (type_ == at::kChar) {
            quantize_heads(from, rows, stride, piece.mutable_data_ptr<std::int8_t>() + offset,
                           group.scales[index].mutable_data_ptr<float>() + (first - group.base), kv_heads_, group.capacity,
                           head_dim_);
        } else if (type_ == at::kFloat) {
            write_heads(from, rows, stride, piece.mutable_data_ptr<float>() + offset, kv_heads_, group.capacity, head_dim_);
        } else {
            write_heads(from, rows, stride, piece.mutable_data_ptr<at::BFloat16>() + offset, kv_heads_, group.capacity,
                        head_dim_);
        }
    }
}

AttentionRows KvCache::view(std::size_t layer, std::int64_t first, std::int64_t rows) const {
    const Place place = places_[layer];
    const Group& group = groups_[place.group];
    AttentionRows out;
    out.rows = rows;
    out.past = first - group.base;
    out.keys = {type_,
                group.pieces[2 * place.index].const_data_ptr(),
                group.pieces[2 * place.index + 1].const_data_ptr(),
                head_dim_,
                group.capacity * head_dim_,
                first + rows - group.base};
    if (type_ == at::kChar) {
        out.keys.key_scales = group.scales[2 * place.index].const_data_ptr<float>();
        out.keys.value_scales = group.scales[2 * place.index + 1].const_data_ptr<float>();
        out.keys.scale_stride = group.capacity;
    }
    return out;
}

bool KvCache::reaches_back(std::int64_t length) const {
    return std::all_of(groups_.begin(), groups_.end(), [length](const Group& group) {
        return length == 0 || group.base <= std::max<std::int64_t>(length - (group.window - 1), 0);
    });
}

std::uint64_t KvCache::size_bytes() const {
    std::uint64_t total = 0;
    for (const Group& group : groups_) {
        for (const auto* tensors : {&group.pieces, &group.scales}) {
            for (const at::Tensor& tensor : *tensors) {
                total += tensor.defined() ? tensor.nbytes() : 0;
            }
        }
    }
    return total;
}

}  // namespace rag::core::libtorch
