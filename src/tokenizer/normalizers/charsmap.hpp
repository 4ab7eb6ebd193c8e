// SentencePiece's precompiled character map: a double-array trie (Aoe 1989, in the layout of darts-clone) from UTF-8 to offsets
// into a blob of strings that end in NUL. Layout: u32 bytes of the trie, the trie's u32 units, the strings; little-endian.
// Untrusted: every index is checked when it is used. Immutable, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

class CharsMap {
  public:
    /// Throws kCorrupt when `bytes` are too few or the strings are not UTF-8.
    explicit CharsMap(std::string_view bytes);

    /// What the shortest prefix of `text` that the map has becomes; nullopt if it has none. Throws kCorrupt when the map is
    /// broken.
    std::optional<std::string_view> find_shortest(std::string_view text) const {
        std::uint32_t node = first_;
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte == 0) return std::nullopt;
            node ^= byte;
            const std::uint32_t unit = at(node);
            if ((unit & kLabelMask) != byte) return std::nullopt;
            node ^= offset(unit);
            if ((unit & kHasLeaf) != 0) return string_at(at(node) & ~kLeaf);
        }
        return std::nullopt;
    }

    /// False: no key begins with this byte.
    bool may_begin(unsigned char byte) const noexcept {
        const std::uint32_t node = first_ ^ byte;
        return node >= units_.size() || (units_[node] & kLabelMask) == byte;
    }

    /// What the longest prefix of `text` that the map has becomes, and its length in bytes; otherwise as find_shortest().
    struct Longest {
        std::string_view becomes;
        std::uint32_t length;
    };
    std::optional<Longest> find_longest(std::string_view text) const;

  private:
    static constexpr std::uint32_t kLeaf = 1U << 31;
    static constexpr std::uint32_t kHasLeaf = 1U << 8;
    static constexpr std::uint32_t kLabelMask = kLeaf | 0xFF;

    static std::uint32_t offset(std::uint32_t unit) noexcept { return (unit >> 10) << ((unit & (1U << 9)) >> 6); }
    std::uint32_t at(std::uint32_t node) const {
        if (node >= units_.size()) refuse_node(node);
        return units_[node];
    }
    [[noreturn]] void refuse_node(std::uint32_t node) const;
    std::string_view string_at(std::uint32_t start) const;

    std::vector<std::uint32_t> units_;
    std::uint32_t first_ = 0;  // the root's offset
    std::string strings_;
};

}  // namespace rag::core
