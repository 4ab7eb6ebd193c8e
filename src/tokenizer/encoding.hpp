// What encoding a text gives: parallel arrays, one entry a token, all in one block of memory. A value; belongs to the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "tokenizer/column.hpp"
#include "tokenizer/token_texts.hpp"

namespace rag::core {

struct CutTexts;

struct Encoding {
    Encoding() = default;
    Encoding(const Encoding& other);
    Encoding(Encoding&& other) noexcept { swap(other); }
    Encoding& operator=(const Encoding& other) {
        Encoding copy(other);
        swap(copy);
        return *this;
    }
    /// `other` gets what was here.
    Encoding& operator=(Encoding&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Encoding() = default;
    void swap(Encoding& other) noexcept;

    Column<std::int32_t> ids;
    /// [start, end) of the text that sequence_ids names, in the unit that was asked for; (0, 0) for tokens that are in none.
    Column<std::pair<std::uint32_t, std::uint32_t>> offsets;
    Column<std::uint32_t> type_ids;
    Column<std::uint32_t> attention_mask;       // 0: padding
    Column<std::uint32_t> special_tokens_mask;  // 1: put in by the post-processor, or padding
    Column<std::int8_t> sequence_ids;           // 0: of the first text, 1: of the second, -1: of none
    /// Which piece of its text a token comes from, pieces being what added tokens and the pre-tokenizer cut; -1: of none.
    Column<std::int32_t> words;
    /// Of tokens whose text is not that of their id: an added token that took white space along, a
    /// special token that the file spells differently. Tokenizer::token() uses it.
    TokenTexts texts;
    /// Set where truncation cut something off that was asked to be kept: Tokenizer::overflowing() makes encodings of it.
    std::shared_ptr<CutTexts> cut;
    /// The first text is not told apart from the rest, as in Hugging Face where no post-processor did so: padding is of it too.
    bool one_sequence = false;

    std::size_t size() const noexcept { return ids.size(); }
    /// One block for all columns, with room for `count` tokens.
    void reserve(std::size_t count);
    void push(std::int32_t id, std::pair<std::uint32_t, std::uint32_t> offset, std::uint32_t type_id, int sequence);
    void push_special(std::int32_t id, std::uint32_t type_id);
    /// Fills the columns that ids, offsets and words do not have yet: tokens of a text, none of them special.
    void complete(std::uint32_t type_id, int sequence);
    /// Takes the first `count` tokens away.
    void drop_front(std::size_t count);
    /// All of `other` behind this.
    void append(const Encoding& other);
    /// Tokens [first, first + count), which exist.
    Encoding slice(std::size_t first, std::size_t count) const;

  private:
    std::unique_ptr<std::byte[]> block_;
};

}  // namespace rag::core
