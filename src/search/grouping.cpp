#include "search/grouping.hpp"

#include <unordered_map>

namespace rag::core {

std::vector<Ranked> group_by_document(const std::vector<Ranked>& ranking, std::span<const std::int64_t> documents,
                                      std::size_t offset, std::size_t k, std::size_t most_hits, std::size_t& groups) {
    std::vector<std::vector<std::size_t>> members;  // by group: positions in the ranking
    std::unordered_map<std::int64_t, std::size_t> group_of;
    for (std::size_t i = 0; i < ranking.size(); ++i) {
        const auto [entry, is_new] = group_of.try_emplace(documents[i], members.size());
        if (is_new) members.emplace_back();
        auto& group = members[entry->second];
        if (group.size() < most_hits) group.push_back(i);
    }
    groups = members.size();
    std::vector<Ranked> out;
    for (std::size_t group = offset; group < members.size() && group - offset < k; ++group) {
        for (const std::size_t i : members[group]) out.push_back(ranking[i]);
    }
    return out;
}

}  // namespace rag::core
