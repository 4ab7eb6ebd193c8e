// What encoding a text gives: parallel arrays, one entry a token. A value; belongs to the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace rag::core {

struct Encoding {
    std::vector<std::int32_t> ids;
    /// Bytes [start, end) of the text that sequence_ids names; (0, 0) for tokens that are in none.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> offsets;
    std::vector<std::uint32_t> type_ids;
    std::vector<std::uint32_t> attention_mask;       // 0: padding
    std::vector<std::uint32_t> special_tokens_mask;  // 1: put in by the post-processor, or padding
    std::vector<std::int8_t> sequence_ids;           // 0: of the first text, 1: of the second, -1: of none
    /// Tokens whose text is not that of their id, as (index, text), in order: an added token that took white space along, a
    /// special token that the file spells differently. Tokenizer::tokens() uses it.
    std::vector<std::pair<std::size_t, std::string>> texts;

    std::size_t size() const noexcept { return ids.size(); }
    void reserve(std::size_t count);
    void push(std::int32_t id, std::pair<std::uint32_t, std::uint32_t> offset, std::uint32_t type_id, int sequence);
    void push_special(std::int32_t id, std::uint32_t type_id);
    /// All of `other` behind this.
    void append(const Encoding& other);
    /// Keeps `count` tokens: the first ones, or the last ones.
    void truncate(std::size_t count, bool keep_last);
};

}  // namespace rag::core
