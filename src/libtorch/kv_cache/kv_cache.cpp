#include "libtorch/kv_cache/kv_cache.hpp"

#include <numeric>

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kFirstCapacity = 256;
constexpr std::int64_t kRowGrain = 64;      // rows that are worth another thread
constexpr std::size_t kMostHeadDim = 4096;  // check_decoder_config

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

// Bytes of -127..127; the scale is returned.
float quantize_head(const float* from, std::int64_t head_dim, std::int8_t* to) {
    const float largest =
        std::accumulate(from, from + head_dim, 0.0F, [](float most, float value) { return std::max(most, std::fabs(value)); });
    const float inverse = largest > 0.0F ? 127.0F / largest : 0.0F;
    for (std::int64_t c = 0; c < head_dim; ++c) {
        to[c] = static_cast<std::int8_t>(std::clamp(std::nearbyint(from[c] * inverse), -127.0F, 127.0F));
    }
    return largest / 127.0F;
}

void quantize_heads(const float* from, std::int64_t rows, std::int64_t stride, std::int8_t* to, float* scales,
                    std::int64_t kv_heads, std::int64_t capacity, std::int64_t head_dim) {
    at::parallel_for(0, rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            for (std::int64_t head = 0; head < kv_heads; ++head) {
                scales[head * capacity + row] =
                    quantize_head(from + row * stride + head * head_dim, head_dim, to + (head * capacity + row) * head_dim);
            }
        }
    });
}

// A head of keys that lies in a cache, turned on. `scale`: of bytes.
void turn_head(const RotaryRows& turns, std::int64_t row, std::int64_t head_dim, float* keys, float* /*scale*/) {
    static_cast<void>(head_dim);
    turns.rotate(row, keys);
}

void turn_head(const RotaryRows& turns, std::int64_t row, std::int64_t head_dim, at::BFloat16* keys, float* /*scale*/) {
    std::array<float, kMostHeadDim> wide;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
    std::copy_n(keys, head_dim, wide.data());
    turns.rotate(row, wide.data());
    std::copy_n(wide.data(), head_dim, keys);
}

void turn_head(const RotaryRows& turns, std::int64_t row, std::int64_t head_dim, std::int8_t* keys, float* scale) {
    std::array<float, kMostHeadDim> wide;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
    std::transform(keys, keys + head_dim, wide.data(), [scale](std::int8_t value) { return *scale * static_cast<float>(value); });
    turns.rotate(row, wide.data());
    *scale = quantize_head(wide.data(), head_dim, keys);
}

// Rows offset .. offset + rows - 1 of keys [kv_heads, capacity, head_dim] by the turns `first` and on.
template <typename T>
void turn_rows(const at::Tensor& keys, float* scales, std::int64_t offset, std::int64_t first, std::int64_t rows,
               const RotaryRows& turns) {
    const std::int64_t capacity = keys.size(1);
    const std::int64_t head_dim = keys.size(2);
    T* data = keys.mutable_data_ptr<T>();
    at::parallel_for(0, rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t head = 0; head < keys.size(0); ++head) {
            for (std::int64_t row = begin; row < end; ++row) {
                const std::int64_t at = head * capacity + offset + row;
                turn_head(turns, first + row, head_dim, data + at * head_dim, scales == nullptr ? nullptr : scales + at);
            }
        }
    });
}

}  // namespace

KvCache::KvCache(std::int64_t kv_heads, std::int64_t head_dim, std::int64_t context_length, at::ScalarType type,
                 std::int64_t layers, std::int64_t window, std::span<const std::uint8_t> windowed, c10::Device device)
    : kv_heads_(kv_heads), head_dim_(head_dim), context_length_(context_length), type_(type), device_(device), groups_(2) {
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
        out.push_back(at::empty({kv_heads_, capacity, &old == &group.scales ? 1 : head_dim_}, float_on(device_).dtype(type)));
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
        if (!device_.is_cpu()) {
            piece.narrow(1, 0, length - kept).copy_(piece.narrow(1, kept - group.base, length - kept).clone());
            continue;
        }
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

void KvCache::write_on_device(std::size_t layer, std::int64_t first, const at::Tensor& keys, const at::Tensor& values) {
    const Place place = places_[layer];
    const Group& group = groups_[place.group];
    for (const auto& [from, index] : {std::pair{&keys, 2 * place.index}, std::pair{&values, 2 * place.index + 1}}) {
        group.pieces[index].narrow(1, first - group.base, from->size(0)).copy_(from->transpose(0, 1));
    }
}

AttentionRows KvCache::view(std::size_t layer, std::int64_t first, std::int64_t rows) const {
    const Place place = places_[layer];
    const Group& group = groups_[place.group];
    AttentionRows out;
    out.rows = rows;
    out.past = first - group.base;
    if (!device_.is_cpu()) {
        out.keys.count = first + rows - group.base;
        out.keys.device_keys = group.pieces[2 * place.index].narrow(1, 0, out.keys.count);
        out.keys.device_values = group.pieces[2 * place.index + 1].narrow(1, 0, out.keys.count);
        return out;
    }
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

KvCache KvCache::copy(std::int64_t length) const {
    KvCache out = *this;
    for (Group& group : out.groups_) {
        if (!group.pieces.empty()) {
            const std::int64_t kept = group.window == 0 ? group.base : std::max(group.base, length - (group.window - 1));
            out.grow(group, kept, length, length - kept);
        }
    }
    return out;
}

void KvCache::append(const KvCache& piece, std::int64_t count, std::int64_t length, const RotaryRows* turns,
                     const RotaryRows* local_turns) {
    // All room is made before the first row is written. The layers with a window come last: they may drop what is there.
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        make_room(groups_[i], piece.groups_[i].base, count, length);
    }
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        append_group(piece.groups_[i], groups_[i], count, length, groups_[i].window == 0 ? turns : local_turns);
    }
}

void KvCache::make_room(Group& group, std::int64_t dropped, std::int64_t count, std::int64_t length) const {
    if (group.pieces.empty()) {
        return;
    }
    if (dropped == 0) {
        return reserve_group(group, length, length + count, length);
    }
    // The piece has more positions than the window, so what stands before it is seen no more.
    const std::int64_t needed = count - dropped;
    if (group.capacity < needed) {
        grow(group, length, length, std::min(context_length_, std::max(needed + needed / 8, kFirstCapacity)));
    }
    group.base = length + dropped;
}

void KvCache::append_group(const Group& from, Group& to, std::int64_t count, std::int64_t length, const RotaryRows* turns) const {
    const std::int64_t rows = count - from.base;
    if (rows == 0) {
        return;  // a window of one token keeps none, and there need be no tensors yet
    }
    const std::int64_t offset = length + from.base - to.base;
    const auto copy_rows = [&](const at::Tensor& source, const at::Tensor& target) {
        target.narrow(1, offset, rows).copy_(source.narrow(1, 0, rows));
    };
    for (std::size_t i = 0; i < to.pieces.size(); ++i) {
        copy_rows(from.pieces[i], to.pieces[i]);
        float* scales = nullptr;
        if (type_ == at::kChar) {
            copy_rows(from.scales[i], to.scales[i]);
            scales = to.scales[i].mutable_data_ptr<float>();
        }
        if (turns == nullptr || i % 2 != 0) {
            continue;  // values have no place
        }
        if (!device_.is_cpu()) {
            const at::Tensor keys = to.pieces[i].narrow(1, offset, rows);  // [kv_heads, rows, head_dim]
            const at::Tensor wide = keys.transpose(0, 1).to(at::kFloat, false, true);
            turns->rotate_heads_on_device(wide, from.base);
            keys.copy_(wide.transpose(0, 1));
            continue;
        }
        const auto turn = type_ == at::kChar    ? &turn_rows<std::int8_t>
                          : type_ == at::kFloat ? &turn_rows<float>
                                                : &turn_rows<at::BFloat16>;
        turn(to.pieces[i], scales, offset, from.base, rows, *turns);
    }
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
