// Tokens and ids, both ways: one arena of bytes, one open-addressing table, one array by id. No allocation after load.
// Built by one thread, then immutable.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// A hash of a few bytes for tables in memory: quick, not against attackers beyond what the table's own bounds give.
inline std::uint32_t hash_bytes(std::string_view bytes) noexcept {
    constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15U;
    std::uint64_t state = bytes.size() * kMultiplier;
    const auto mix = [&](std::uint64_t word) {
        state = (state ^ word) * kMultiplier;
        state ^= state >> 32;
    };
    const char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        mix(word);
    }
    if (left >= 4) {
        std::uint32_t low, high;
        std::memcpy(&low, at, 4);
        std::memcpy(&high, at + left - 4, 4);
        mix((static_cast<std::uint64_t>(high) << 32) | low);
    } else if (left > 0) {
        const auto byte = [&](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])); };
        mix(byte(0) | (byte(left / 2) << 8) | (byte(left - 1) << 16));
    }
    state *= kMultiplier;
    return static_cast<std::uint32_t>(state >> 32);
}

/// memcmp(a, b, size) == 0, without the call for the sizes that words have.
inline bool equal_bytes(const char* a, const char* b, std::size_t size) noexcept {
    const auto equal_at = [&]<typename Word>(Word, std::size_t at) {
        Word x, y;
        std::memcpy(&x, a + at, sizeof x);
        std::memcpy(&y, b + at, sizeof y);
        return x == y;
    };
    if (size > 16) return std::memcmp(a, b, size) == 0;
    if (size >= 8) return equal_at(std::uint64_t{}, 0) && equal_at(std::uint64_t{}, size - 8);
    if (size >= 4) return equal_at(std::uint32_t{}, 0) && equal_at(std::uint32_t{}, size - 4);
    for (std::size_t i = 0; i < size; ++i) {
        if (a[i] != b[i]) return false;
    }
    return true;
}

class Vocabulary {
  public:
    /// Room for `count` tokens.
    void reserve(std::size_t count);
    /// A token that is there already gets the new id. Throws kCorrupt for an id outside [0, kMaxTokenId), or when all tokens
    /// together pass 1 GiB.
    void add(std::string_view token, std::int64_t id) { add(token, id, hash_bytes(token)); }
    /// The same with hash_bytes(token) known.
    void add(std::string_view token, std::int64_t id, std::uint32_t hash);

    std::optional<std::int32_t> find(std::string_view token) const noexcept {
        const std::int32_t id = find_id(token);
        return id < 0 ? std::nullopt : std::optional<std::int32_t>(id);
    }
    /// -1 if there is none.
    std::int32_t find_id(std::string_view token) const noexcept { return find_id(token, hash_bytes(token)); }
    /// The same with hash_bytes(token) known.
    std::int32_t find_id(std::string_view token, std::uint32_t hash) const noexcept {
        for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
            const Slot& slot = slots_[at];
            if (slot.id < 0) return -1;
            if (slot.hash == hash && slot.length == token.size() && equals(slot, token)) return slot.id;
        }
    }
    /// Have the memory at hand when add() or find() comes for the token with this hash, first the table's, then its own.
    void expect(std::uint32_t hash) const noexcept { __builtin_prefetch(&slots_[hash & mask_], 1); }
    void expect_text(std::uint32_t hash) const noexcept { __builtin_prefetch(arena_.data() + slots_[hash & mask_].offset); }
    /// The token of an id; where several tokens have one id, the last that was added.
    std::optional<std::string_view> token(std::int32_t id) const noexcept;
    /// Calls visit(token, id) for every token, in no order.
    template <typename Visit>
    void for_each(Visit visit) const {
        if (unique_) {  // each token is that of its id, and the bytes lie mostly in the order of ids
            for (std::size_t id = 0; id < by_id_.size(); ++id) {
                const Place& place = by_id_[id];
                if (place.length == kNoToken) continue;
                visit(std::string_view(arena_).substr(place.offset, place.length), static_cast<std::int32_t>(id));
            }
            return;
        }
        for (const Slot& slot : slots_) {
            if (slot.id >= 0) visit(std::string_view(arena_).substr(slot.offset, slot.length), slot.id);
        }
    }
    std::size_t size() const noexcept { return size_; }
    /// No id was given to two tokens, no token two ids.
    bool has_one_token_an_id() const noexcept { return unique_; }
    /// Bytes of the longest token.
    std::size_t longest() const noexcept { return longest_; }
    std::int32_t id_limit() const noexcept { return static_cast<std::int32_t>(by_id_.size()); }

  private:
    struct Slot {
        std::uint32_t hash = 0;
        std::int32_t id = -1;
        std::uint32_t offset = 0, length = 0;
    };
    static constexpr std::uint32_t kNoToken = 0xFFFFFFFF;  // as a length
    struct Place {
        std::uint32_t offset = 0, length = kNoToken;
    };
    bool equals(const Slot& slot, std::string_view token) const noexcept {
        return equal_bytes(arena_.data() + slot.offset, token.data(), token.size());
    }
    void grow(std::size_t capacity);

    std::string arena_;
    std::vector<Slot> slots_ = std::vector<Slot>(16);  // a power of two, at most three quarters used
    std::size_t mask_ = 15;
    std::size_t size_ = 0;
    std::size_t longest_ = 0;
    bool unique_ = true;
    std::vector<Place> by_id_;
};

}  // namespace rag::core
