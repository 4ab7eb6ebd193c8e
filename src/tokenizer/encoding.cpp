#include "tokenizer/encoding.hpp"

#include <algorithm>

namespace rag::core {
namespace {

// Every column but `texts`, which is not parallel: of both encodings together.
template <typename First, typename Second, typename Do>
void for_columns(First& first, Second& second, const Do& act) {
    act(first.ids, second.ids);
    act(first.offsets, second.offsets);
    act(first.type_ids, second.type_ids);
    act(first.attention_mask, second.attention_mask);
    act(first.special_tokens_mask, second.special_tokens_mask);
    act(first.sequence_ids, second.sequence_ids);
    act(first.words, second.words);
}

}  // namespace

void Encoding::reserve(std::size_t count) {
    for_columns(*this, *this, [&](auto& column, const auto&) { column.reserve(count); });
}

void Encoding::push(std::int32_t id, std::pair<std::uint32_t, std::uint32_t> offset, std::uint32_t type_id, int sequence) {
    ids.push_back(id);
    offsets.push_back(offset);
    type_ids.push_back(type_id);
    attention_mask.push_back(1);
    special_tokens_mask.push_back(sequence < 0 ? 1 : 0);
    sequence_ids.push_back(static_cast<std::int8_t>(sequence));
    words.push_back(-1);
}

void Encoding::push_special(std::int32_t id, std::uint32_t type_id) {
    push(id, {0, 0}, type_id, -1);
}

void Encoding::complete(std::uint32_t type_id, int sequence) {
    type_ids.resize(size(), type_id);
    attention_mask.resize(size(), 1);
    special_tokens_mask.resize(size(), 0);
    sequence_ids.resize(size(), static_cast<std::int8_t>(sequence));
}

void Encoding::drop_front(std::size_t count) {
    for_columns(*this, *this, [&](auto& column, const auto&) {
        const auto end = std::min(column.size(), count);
        column.erase(column.begin(), column.begin() + static_cast<std::ptrdiff_t>(end));
    });
    texts = texts.slice(count, size());
}

void Encoding::append(const Encoding& other) {
    texts.append(other.texts, size());
    for_columns(*this, other, [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); });
}

Encoding Encoding::slice(std::size_t first, std::size_t count) const {
    Encoding out;
    for_columns(out, *this, [&](auto& to, const auto& from) {
        const auto begin = from.begin() + static_cast<std::ptrdiff_t>(first);
        to.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
    });
    out.texts = texts.slice(first, count);
    return out;
}

}  // namespace rag::core
