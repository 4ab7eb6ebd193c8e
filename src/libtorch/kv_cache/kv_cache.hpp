// Keys and values of one sequence, for every layer one contiguous piece [kv_heads, capacity, head_dim]. Capacity doubles as
// needed up to the model's context, so that appending does not move what is there. Layers with a window keep what the next token
// can see and what a failed call must find again; older positions are dropped when room is needed. A copy without spare room is a
// piece: the keys and values of a passage, which other caches take over at other positions. Elements are float32,
// bfloat16, or signed bytes with a float32 scale for every head and position, so that a position can be dropped, moved or turned
// to another place without its neighbours. Thread rule: on the model's worker.
#pragma once

#include "libtorch/layers/attention.hpp"
#include "libtorch/layers/rotary.hpp"

namespace rag::core::libtorch {

class KvCache {
  public:
    /// `window`: positions that layers see for which `windowed` says so (empty: none does).
    KvCache(std::int64_t kv_heads, std::int64_t head_dim, std::int64_t context_length, at::ScalarType type, std::int64_t layers,
            std::int64_t window, std::span<const std::uint8_t> windowed, c10::Device device);

    /// Room for positions `length` .. `end` - 1 behind the `length` there are. What positions from `oldest` on see stays;
    /// `oldest` is where a call began that may still fail. Nothing is changed if memory runs out.
    void reserve(std::int64_t length, std::int64_t end, std::int64_t oldest);
    /// Writes rows of keys and values to positions `first` and on, for which room was reserved. keys: [rows, stride] float32
    /// whose first kv_heads * head_dim columns are the heads; values likewise.
    void write(std::size_t layer, std::int64_t first, std::int64_t rows, const float* keys, const float* values,
               std::int64_t stride);
    /// The same on a device: keys and values [rows, kv_heads, head_dim].
    void write_on_device(std::size_t layer, std::int64_t first, const at::Tensor& keys, const at::Tensor& values);
    /// The keys and values of a layer for `rows` queries at positions `first` and on, the last ones included.
    AttentionRows view(std::size_t layer, std::int64_t first, std::int64_t rows) const;

    /// A copy of `length` positions, all there are, without spare room; layers with a window keep what the next token sees.
    KvCache copy(std::int64_t length) const;
    /// Puts the `count` positions of `piece`, a copy(), behind the `length` there are. `turns`: of keys, [count] rows
    /// (RotaryRows::add_turns); `local_turns`: of layers with a window. Null: keys are copied as they are. Nothing is changed if
    /// memory runs out.
    void append(const KvCache& piece, std::int64_t count, std::int64_t length, const RotaryRows* turns,
                const RotaryRows* local_turns);

    /// Whether a sequence cut to `length` tokens would find all that its next token sees.
    bool reaches_back(std::int64_t length) const;
    /// Bytes that are held.
    std::uint64_t size_bytes() const;

  private:
    // Layers that drop the same positions.
    struct Group {
        std::int64_t window = 0;  // 0: all is kept
        std::int64_t base = 0;    // the position of the first slot
        std::int64_t capacity = 0;
        std::vector<at::Tensor> pieces;  // keys of the first layer, its values, keys of the second, ...
        std::vector<at::Tensor> scales;  // of bytes: [kv_heads, capacity, 1] float32 for each piece
    };
    struct Place {
        std::size_t group;
        std::size_t index;  // among the group's layers
    };
    void reserve_group(Group& group, std::int64_t length, std::int64_t end, std::int64_t oldest) const;
    void grow(Group& group, std::int64_t kept, std::int64_t length, std::int64_t capacity) const;
    void shift(Group& group, std::int64_t kept, std::int64_t length) const;

    void make_room(Group& group, std::int64_t dropped, std::int64_t count, std::int64_t length) const;
    void append_group(const Group& from, Group& to, std::int64_t count, std::int64_t length, const RotaryRows* turns) const;
    std::vector<at::Tensor> grown(const Group& group, const std::vector<at::Tensor>& old, at::ScalarType type, std::int64_t kept,
                                  std::int64_t length, std::int64_t capacity) const;

    std::int64_t kv_heads_;
    std::int64_t head_dim_;
    std::int64_t context_length_;
    at::ScalarType type_;
    c10::Device device_;
    std::vector<Group> groups_;
    std::vector<Place> places_;  // of every layer
};

}  // namespace rag::core::libtorch
