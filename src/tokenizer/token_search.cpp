#include "tokenizer/token_search.hpp"

#include <algorithm>
#include <cstddef>

namespace rag::core {

TokenSearch::TokenSearch(const std::vector<std::pair<std::string_view, std::int32_t>>& contents) : trie_(contents) {
    if (contents.empty()) return;
    for (const auto& [content, value] : contents) {
        first_[static_cast<unsigned char>(content[0])] = true;
        only_first_ = content[0];
    }
    only_one_ = std::count(first_.begin(), first_.end(), true) == 1;
    steps_.resize(1);
    // All contents go down together, so that the way back from a node leads to one that is done.
    std::vector<std::pair<std::string_view, Trie::Node>> walks;
    for (const auto& [content, value] : contents) walks.emplace_back(content, Trie::kRoot);
    for (std::uint32_t depth = 1; !walks.empty(); ++depth) {
        for (auto& [content, node] : walks) {
            const auto byte = static_cast<unsigned char>(content[depth - 1]);
            const Trie::Node parent = std::exchange(node, trie_.step(node, byte));
            add_node(parent, node, byte, depth);
        }
        std::erase_if(walks, [&](const auto& walk) { return walk.first.size() == depth; });
    }
}

void TokenSearch::add_node(Trie::Node parent, Trie::Node node, unsigned char byte, std::uint32_t depth) {
    if (node >= steps_.size()) steps_.resize(std::size_t{node} + 1);
    Step& step = steps_[node];
    if (step.depth != 0) return;  // another content has been here
    step.depth = depth;
    if (depth > 1) step.back = follow(steps_[parent].back, byte);
    step.end = trie_.value(node) >= 0 ? node : steps_[step.back].end;
}

// The longest end of what is read, `byte` included, that is a node.
Trie::Node TokenSearch::follow(Trie::Node node, unsigned char byte) const noexcept {
    for (;;) {
        const Trie::Node next = trie_.step(node, byte);
        if (next != Trie::kNone) return next;
        if (node == Trie::kRoot) return node;
        node = steps_[node].back;
    }
}

// The first byte at or behind `from` that a content may begin with.
std::uint32_t TokenSearch::skip(std::string_view text, std::uint32_t from) const noexcept {
    if (only_one_) {
        const std::size_t found = text.find(only_first_, from);
        return static_cast<std::uint32_t>(std::min(found, text.size()));
    }
    while (from < text.size() && !first_[static_cast<unsigned char>(text[from])]) ++from;
    return from;
}

TokenSearch::Match TokenSearch::next(std::string_view text, std::uint32_t from) const {
    const auto size = static_cast<std::uint32_t>(text.size());
    Match best{{size, size}, -1};
    Trie::Node node = Trie::kRoot;
    for (std::uint32_t at = from; at < size;) {
        if (node == Trie::kRoot) {
            if (best.value >= 0) break;
            at = skip(text, at);
            if (at == size) break;
        }
        node = follow(node, static_cast<unsigned char>(text[at++]));
        const Step& step = steps_[node];
        // What is read from here on begins behind the match that there is.
        if (best.value >= 0 && at - step.depth > best.span.start) break;
        if (step.end == Trie::kRoot) continue;
        const std::uint32_t start = at - steps_[step.end].depth;
        if (best.value < 0 || start <= best.span.start) best = {{start, at}, trie_.value(step.end)};
    }
    return best;
}

}  // namespace rag::core
