// Byte pair encoding, over bytes (behind ByteLevel) or over characters. Sennrich et al. 2016; Radford et al. 2019 for bytes.
// Vocabularies without affixes, which is nearly all, are searched (MergeSearch), texts without spaces to cut at by stretches that
// no merge leaves; for the others the merges are done one by one.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/models/character_cache.hpp"
#include "tokenizer/models/merge_search.hpp"
#include "tokenizer/models/merge_source.hpp"
#include "tokenizer/models/merge_table.hpp"
#include "tokenizer/models/model.hpp"
#include "tokenizer/models/piece_cache.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {

struct BpeOptions {
    std::optional<std::string> unk_token;
    std::string continuing_subword_prefix;
    std::string end_of_word_suffix;
    bool fuse_unk = false;
    bool byte_fallback = false;
    bool ignore_merges = false;   // a piece that is a token is that token, whatever the merges say
    bool rank_by_result = false;  // successive merges into one token have one rank: of these the leftmost pair is first
    bool bytes = false;           // pieces are bytes, the vocabulary is written in the byte alphabet
};

class Bpe final : public TokenModel {
  public:
    /// Throws kCorrupt when a merge names a token, or makes one, that the vocabulary lacks. The merges need not outlive the call.
    Bpe(Vocabulary vocabulary, const MergeSource& merges, BpeOptions options);
    Bpe(const Bpe&) = delete;  // the search points to the merges
    Bpe& operator=(const Bpe&) = delete;
    void tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const override;
    std::optional<std::int32_t> token_to_id(std::string_view token) const override { return vocabulary_.find(token); }
    std::optional<std::string_view> id_to_token(std::int32_t id) const override { return vocabulary_.token(id); }
    std::size_t size() const override { return vocabulary_.size(); }
    std::int32_t id_limit() const override { return vocabulary_.id_limit(); }

    const BpeOptions& options() const noexcept { return options_; }
    const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    const MergeTable& merges() const noexcept { return merges_; }
    /// The merges that any text of bytes brings about, in order of rank: of each token that comes about at all the last one,
    /// since it comes about in one way only (merge_search.hpp). With these alone the results are the same, and no two have one
    /// rank.
    std::vector<Merge> used_merges() const;

  private:
    void find_initial_ids();
    void make_search();
    bool is_searchable() const;
    void translate_keys();
    /// What the pieces are looked up in where merges are done one by one: keys are bytes, or the vocabulary itself.
    const Vocabulary& keys() const noexcept { return options_.bytes ? byte_keys_ : vocabulary_; }
    bool has_all_bytes() const {
        return std::none_of(byte_ids_.begin(), byte_ids_.end(), [](std::int32_t id) { return id < 0; });
    }
    bool search(std::string_view word, bool part, SearchScratch& scratch) const;
    // Stretches that come next, their places in the cache on the way.
    struct Stretch {
        std::uint32_t start = 0, end = 0;
        char32_t character = 0;  // the only one, where characters_ has a place for it
        PieceCache::Key key;     // else
    };
    using Stretches = std::array<Stretch, 16>;
    /// Fills `out` with the stretches of a word from `from` on, `point` being the character there, and returns how many.
    std::size_t find_stretches(std::string_view word, std::uint32_t from, CodePoint& point, Stretches& out) const;
    std::int32_t symbol_of(CodePoint character, std::string_view text) const;
    bool merge_stretch(std::string_view text, SearchScratch& scratch) const;
    /// The tokens of a stretch, which begins at `start`, behind `out`. False where a character is to be left out.
    bool search_stretch(std::string_view text, const Stretch& stretch, std::uint32_t start, SearchScratch& scratch,
                        std::vector<ModelToken>& out) const;
    bool search_stretches(std::string_view word, std::uint32_t start, SearchScratch& scratch, std::vector<ModelToken>& out) const;
    void merge(std::string_view word, MergeScratch& scratch) const;
    struct Scratch {
        SearchScratch search;
        MergeScratch merge;
    };
    /// Appends the tokens of a piece that is not cut into stretches; `key` is its own.
    void tokenize_piece(std::string_view text, const Span& piece, const PieceCache::Key& key, Scratch& scratch,
                        std::vector<ModelToken>& out) const;
    void push_moved(std::uint32_t start, std::string_view word, std::span<const Symbol> symbols,
                    std::vector<ModelToken>& out) const;
    void split_symbols(std::string_view word, std::vector<Symbol>& symbols) const;
    /// The character with the affixes that its place in the word asks for; in `buffer` if there are any.
    std::string_view decorate(std::string_view character, bool first, bool last, std::string& buffer) const;
    bool has_byte_tokens(std::string_view symbol) const;
    void require_unknown(std::string_view character) const;

    BpeOptions options_;
    Vocabulary vocabulary_;
    Vocabulary byte_keys_;
    MergeTable merges_;
    std::array<std::int32_t, 256> byte_ids_{};      // of bytes in their alphabet, -1 where there is none
    std::array<std::int32_t, 256> fallback_ids_{};  // of <0x00> to <0xFF>
    std::int32_t unk_ = -1;
    std::unique_ptr<MergeSearch> search_;  // nullptr: this vocabulary cannot be searched
    std::unique_ptr<PieceCache> cache_ = std::make_unique<PieceCache>();
    // Of stretches that no merge leaves, in long pieces and in such of wide characters. Apart from cache_, which has pieces with
    // characters left out, and pieces that are a token as a whole. nullptr: all pieces are searched whole.
    std::unique_ptr<PieceCache> stretches_;
    std::unique_ptr<CharacterCache> characters_;  // the same for those of one character
};

}  // namespace rag::core
