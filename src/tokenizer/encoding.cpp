#include "tokenizer/encoding.hpp"

#include <algorithm>

namespace rag::core {

void Encoding::reserve(std::size_t count) {
    ids.reserve(count);
    offsets.reserve(count);
    type_ids.reserve(count);
    attention_mask.reserve(count);
    special_tokens_mask.reserve(count);
    sequence_ids.reserve(count);
}

void Encoding::push(std::int32_t id, std::pair<std::uint32_t, std::uint32_t> offset, std::uint32_t type_id, int sequence) {
    ids.push_back(id);
    offsets.push_back(offset);
    type_ids.push_back(type_id);
    attention_mask.push_back(1);
    special_tokens_mask.push_back(sequence < 0 ? 1 : 0);
    sequence_ids.push_back(static_cast<std::int8_t>(sequence));
}

void Encoding::push_special(std::int32_t id, std::uint32_t type_id) {
    push(id, {0, 0}, type_id, -1);
}

void Encoding::append(const Encoding& other) {
    for (const auto& [index, text] : other.texts) texts.emplace_back(size() + index, text);
    ids.insert(ids.end(), other.ids.begin(), other.ids.end());
    offsets.insert(offsets.end(), other.offsets.begin(), other.offsets.end());
    type_ids.insert(type_ids.end(), other.type_ids.begin(), other.type_ids.end());
    attention_mask.insert(attention_mask.end(), other.attention_mask.begin(), other.attention_mask.end());
    special_tokens_mask.insert(special_tokens_mask.end(), other.special_tokens_mask.begin(), other.special_tokens_mask.end());
    sequence_ids.insert(sequence_ids.end(), other.sequence_ids.begin(), other.sequence_ids.end());
}

void Encoding::truncate(std::size_t count, bool keep_last) {
    if (count >= size()) return;
    const std::size_t first = keep_last ? size() - count : 0;
    const auto cut = [&](auto& values) {
        values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(first));
        values.resize(count);
    };
    cut(ids);
    cut(offsets);
    cut(type_ids);
    cut(attention_mask);
    cut(special_tokens_mask);
    cut(sequence_ids);
    std::erase_if(texts, [&](const auto& entry) { return entry.first < first || entry.first - first >= count; });
    for (auto& entry : texts) entry.first -= first;
}

}  // namespace rag::core
