#include "index/vector/graph.hpp"

#include <algorithm>

namespace rag::core {
namespace {

/// The neighbours in a list that ends by kNoRow.
template <typename Visit>
bool each_neighbour(const std::uint32_t* list, std::size_t capacity, Visit visit) {
    for (std::size_t i = 0; i < capacity && list[i] != kNoRow; ++i) {
        if (!visit(list[i])) return false;
    }
    return true;
}

}  // namespace

std::size_t Graph::index_upper() {
    upper_begin.assign(rows(), kNoRow);
    std::size_t lists = 0;
    for (std::size_t row = 0; row < rows(); ++row) {
        if (levels[row] == 0) continue;
        upper_begin[row] = static_cast<std::uint32_t>(lists);
        lists += levels[row];
    }
    return lists;
}

std::vector<std::uint32_t> Graph::unreached(const Progress& progress) const {
    constexpr std::size_t kRowsPerReport = 512;
    std::size_t seen = 0;
    std::vector<std::uint32_t> out;
    if (rows() == 0) return out;
    std::vector<bool> reached(rows());
    std::vector<std::uint32_t> stack{entry};
    reached[entry] = true;
    while (!stack.empty()) {
        if (++seen % kRowsPerReport == 0) report(progress, rows(), rows());
        const std::uint32_t row = stack.back();
        stack.pop_back();
        each_neighbour(neighbours0(row), 2 * m, [&](std::uint32_t next) {
            if (next < rows() && !reached[next]) {
                reached[next] = true;
                stack.push_back(next);
            }
            return true;
        });
    }
    for (std::size_t row = 0; row < rows(); ++row) {
        if (!reached[row]) out.push_back(static_cast<std::uint32_t>(row));
    }
    return out;
}

bool Graph::check(std::string& why) const {
    const std::size_t count = rows();
    if (count == 0) return true;
    if (entry >= count || levels[entry] != top_level) {
        why = fmt::format("the entry {} of {} rows is not on the top level {}", entry, count, top_level);
        return false;
    }
    for (std::size_t row = 0; row < count; ++row) {
        const auto at = static_cast<std::uint32_t>(row);
        if (levels[row] > top_level) {
            why = fmt::format("row {} is on level {}, the top is {}", row, levels[row], top_level);
            return false;
        }
        for (std::size_t level = 0; level <= levels[row]; ++level) {
            const std::uint32_t* list = level == 0 ? neighbours0(at) : neighbours(at, level);
            const bool good = each_neighbour(list, level == 0 ? 2 * m : m, [&](std::uint32_t next) {
                if (next < count && levels[next] >= level) return true;
                why = fmt::format("row {} of {} links to row {} on level {}", row, count, next, level);
                return false;
            });
            if (!good) return false;
        }
    }
    const auto beyond = std::find_if(stragglers.begin(), stragglers.end(), [&](std::uint32_t row) { return row >= count; });
    if (beyond != stragglers.end()) {
        why = fmt::format("row {} is named as unreachable, there are {} rows", *beyond, count);
        return false;
    }
    return true;
}

std::size_t Graph::bytes() const noexcept {
    return levels.size() + (rows() * 2 * m + upper_begin.size() + upper.size() + stragglers.size()) * sizeof(std::uint32_t);
}

}  // namespace rag::core
