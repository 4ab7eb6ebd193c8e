// A double-array trie over bytes: one add and one compare a byte, which is what longest-match search wants.
// Aoe 1989, "An efficient digital search algorithm by using a double-array structure". Building sorts the keys and is linear
// in their bytes; built by one thread, then immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace rag::core {

class Trie {
  public:
    using Node = std::uint32_t;
    static constexpr Node kRoot = 0;
    static constexpr Node kNone = 0xFFFFFFFFU;

    Trie() : Trie(std::vector<std::pair<std::string_view, std::int32_t>>{}) {}
    /// Keys with values of at least 0, in any order; of equal keys the first stays. The keys need not outlive the call.
    explicit Trie(const std::vector<std::pair<std::string_view, std::int32_t>>& keys);

    /// The node behind `node` by `byte`, or kNone.
    Node step(Node node, unsigned char byte) const noexcept {
        const Node next = units_[node].base + byte;
        return units_[next].check == node ? next : kNone;
    }
    /// The node behind `node` by all of `bytes`, or kNone.
    Node walk(Node node, std::string_view bytes) const noexcept {
        for (std::size_t i = 0; i < bytes.size() && node != kNone; ++i) node = step(node, static_cast<unsigned char>(bytes[i]));
        return node;
    }
    /// The value of the key that ends here, or -1.
    std::int32_t value(Node node) const noexcept { return units_[node].value; }

  private:
    struct Unit {
        std::uint32_t base = 0;
        std::uint32_t check = kNone;  // the parent
        std::int32_t value = -1;
    };
    class Builder;
    std::vector<Unit> units_;
};

}  // namespace rag::core
