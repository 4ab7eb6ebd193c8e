// The merges of a BPE vocabulary as a file has them, two texts each, and how they become a MergeTable. Built by one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/models/merge_table.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {

using MergeList = std::vector<std::pair<std::string_view, std::string_view>>;

/// Merges that are looked at once, in order, wherever they are kept: half a million of them are 16 MB as a list.
struct MergeSource {
    using Visit = std::function<void(std::string_view left, std::string_view right)>;
    MergeSource(std::size_t how_many, std::function<void(const Visit&)> visit_all)
        : count(how_many), each(std::move(visit_all)) {}
    MergeSource(const MergeList& list)  // NOLINT(google-explicit-constructor): a list is a source
        : count(list.size()), each([&list](const Visit& visit) {
              for (const auto& [left, right] : list) visit(left, right);
          }) {}
    std::size_t count;
    std::function<void(const Visit&)> each;  // the texts stay where they are until it returns
};

/// How the texts of merges are to be read.
struct MergeRules {
    std::size_t prefix_bytes = 0;  // of each right token that the merged one lacks (continuing_subword_prefix)
    bool rank_by_result = false;   // successive merges into one token have one rank
};

/// Adds all merges to `table`. Throws kCorrupt when one names a token, or makes one, that the vocabulary lacks.
void add_merges(const MergeSource& merges, const Vocabulary& vocabulary, MergeRules rules, MergeTable& table);

}  // namespace rag::core
