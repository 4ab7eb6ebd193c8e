#include "libtorch/arch/positions.hpp"

namespace rag::core::libtorch {

std::vector<std::int32_t> positions_from_zero(const TextGroup& group) {
    std::vector<std::int32_t> positions;
    positions.reserve(group.ids.size());
    for (std::size_t text = 0; text + 1 < group.offsets.size(); ++text) {
        for (std::int64_t i = 0; i < group.offsets[text + 1] - group.offsets[text]; ++i) {
            positions.push_back(static_cast<std::int32_t>(i));
        }
    }
    return positions;
}

std::vector<std::int32_t> positions_behind_padding(const TextGroup& group, std::int64_t padding_id) {
    std::vector<std::int32_t> positions;
    positions.reserve(group.ids.size());
    for (std::size_t text = 0; text + 1 < group.offsets.size(); ++text) {
        auto position = static_cast<std::int32_t>(padding_id);
        for (std::int64_t i = group.offsets[text]; i < group.offsets[text + 1]; ++i) {
            const bool counts = group.ids[static_cast<std::size_t>(i)] != padding_id;
            position += counts ? 1 : 0;
            positions.push_back(counts ? position : static_cast<std::int32_t>(padding_id));
        }
    }
    return positions;
}

std::int64_t longest_text(const TextGroup& group) {
    std::int64_t longest = 0;
    for (std::size_t text = 0; text + 1 < group.offsets.size(); ++text) {
        longest = std::max(longest, group.offsets[text + 1] - group.offsets[text]);
    }
    return longest;
}

std::vector<std::int32_t> token_types(const TextGroup& group) {
    if (!group.type_ids.empty()) {
        return {group.type_ids.begin(), group.type_ids.end()};
    }
    return std::vector<std::int32_t>(group.ids.size(), 0);
}

}  // namespace rag::core::libtorch
