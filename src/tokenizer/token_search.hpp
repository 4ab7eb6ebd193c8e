// Looks for the leftmost, there the longest of many contents in a text: added tokens. A trie with a way back from each node to
// the longest end of it that begins a content too, so that no byte is looked at once for each place before it (Aho and Corasick,
// "Efficient string matching: an aid to bibliographic search", CACM 1975).
// Built by one thread, then immutable.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/models/trie.hpp"
#include "tokenizer/normalized_text.hpp"

namespace rag::core {

class TokenSearch {
  public:
    /// A place and the value of what is there; value -1: nothing is.
    struct Match {
        Span span;
        std::int32_t value = -1;
    };

    TokenSearch() = default;
    /// Contents that are not empty, with values of at least 0; of equal ones the first counts.
    explicit TokenSearch(const std::vector<std::pair<std::string_view, std::int32_t>>& contents);

    bool empty() const noexcept { return steps_.empty(); }
    /// At or behind `from`.
    Match next(std::string_view text, std::uint32_t from) const;

  private:
    struct Step {
        Trie::Node back = Trie::kRoot;  // the longest end of this node's text that is a node, not itself
        Trie::Node end = Trie::kRoot;   // the longest end of it, or all of it, that is a content; the root: none is
        std::uint32_t depth = 0;
    };
    void add_node(Trie::Node parent, Trie::Node node, unsigned char byte, std::uint32_t depth);
    Trie::Node follow(Trie::Node node, unsigned char byte) const noexcept;
    std::uint32_t skip(std::string_view text, std::uint32_t from) const noexcept;

    Trie trie_;
    std::vector<Step> steps_;        // of each node
    std::array<bool, 256> first_{};  // bytes that a content begins with
    char only_first_ = 0;            // the only one, if only_one_
    bool only_one_ = false;
};

}  // namespace rag::core
