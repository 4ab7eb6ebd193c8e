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
    act(first.words, second.words);
    act(first.sequence_ids, second.sequence_ids);
}

}  // namespace

Encoding::Encoding(const Encoding& other) : texts(other.texts), cut(other.cut), one_sequence(other.one_sequence) {
    reserve(other.size());
    for_columns(*this, other, [](auto& to, const auto& from) { to.append(from.begin(), from.end()); });
}

void Encoding::swap(Encoding& other) noexcept {
    for_columns(*this, other, [](auto& mine, auto& theirs) { mine.swap(theirs); });
    std::swap(texts, other.texts);
    cut.swap(other.cut);
    std::swap(one_sequence, other.one_sequence);
    block_.swap(other.block_);
}

void Encoding::reserve(std::size_t count) {
    std::size_t bytes = 0;
    const auto size_of = [&](auto& column, const auto&) {
        count = std::max(count, column.size());
        bytes += sizeof column[0];
    };
    for_columns(*this, *this, size_of);
    if (count == 0) return;
    auto block = std::make_unique_for_overwrite<std::byte[]>(count * bytes);
    std::byte* at = block.get();
    // Columns of bytes come behind those of numbers, which are aligned so.
    const auto settle = [&](auto& column, const auto&) {
        column.settle(at, count);
        at += count * sizeof column[0];
    };
    for_columns(*this, *this, settle);
    block_ = std::move(block);
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
    for_columns(*this, *this, [&](auto& column, const auto&) { column.drop_front(count); });
    texts = texts.slice(count, size());
}

void Encoding::append(const Encoding& other) {
    texts.append(other.texts, size());
    for_columns(*this, other, [](auto& to, const auto& from) { to.append(from.begin(), from.end()); });
}

Encoding Encoding::slice(std::size_t first, std::size_t count) const {
    Encoding out;
    out.reserve(count);
    for_columns(out, *this, [&](auto& to, const auto& from) { to.append(from.begin() + first, from.begin() + first + count); });
    out.texts = texts.slice(first, count);
    return out;
}

}  // namespace rag::core
