// WordPiece: each piece is cut into the longest tokens of the vocabulary from left to right, all but the first looked up behind
// the continuing prefix ("##"); a piece that cannot be covered, or is too long, becomes the unknown token.
// Schuster and Nakajima 2012; Devlin et al. 2018. The longest token is found in the vocabulary's own table (LengthSets), which
// for whole words is one look-up and needs nothing built; in vocabularies with tokens of more than 64 bytes, where many lengths
// would have to be tried, by a trie. Words and Chinese characters that were met before are not searched again (PieceCache,
// CharacterCache). Else immutable, any thread.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/models/character_cache.hpp"
#include "tokenizer/models/length_sets.hpp"
#include "tokenizer/models/merge_table.hpp"
#include "tokenizer/models/model.hpp"
#include "tokenizer/models/piece_cache.hpp"
#include "tokenizer/models/trie.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {

struct WordPieceOptions {
    std::string unk_token = "[UNK]";
    std::string continuing_subword_prefix = "##";
    std::size_t max_input_chars_per_word = 100;
};

class WordPiece final : public TokenModel {
  public:
    WordPiece(Vocabulary vocabulary, WordPieceOptions options);
    void tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const override;
    std::optional<std::int32_t> token_to_id(std::string_view token) const override { return vocabulary_.find(token); }
    std::optional<std::string_view> id_to_token(std::int32_t id) const override { return vocabulary_.token(id); }
    std::size_t size() const override { return vocabulary_.size(); }
    std::int32_t id_limit() const override { return vocabulary_.id_limit(); }

    const WordPieceOptions& options() const noexcept { return options_; }
    const Vocabulary& vocabulary() const noexcept { return vocabulary_; }

  private:
    struct Match {
        std::int32_t id = -1;
        std::uint32_t bytes = 0;
    };
    void index_lengths();
    void build_trie();
    /// The longest token of the `prefix_bytes` bytes before `rest` and the beginning of `rest`; bytes are those of `rest`.
    Match find_longest(const LengthSets& sets, std::string_view rest, std::size_t prefix_bytes) const;
    struct Scratch {
        std::vector<Symbol> symbols;  // of a word
        std::string behind_prefix;    // the part of a word that is still to be cut
        std::array<PieceCache::Key, 16> keys;
    };
    /// Fills `symbols` with the tokens of a word; false: it cannot be covered.
    bool cut(std::string_view word, Scratch& scratch) const;
    bool cut_by_trie(std::string_view word, std::vector<Symbol>& symbols) const;
    /// The same with the unknown token where it cannot. Throws kInvalidArgument when there is no unknown token.
    void search(std::string_view word, Scratch& scratch) const;
    bool too_long(std::string_view word) const;

    Vocabulary vocabulary_;
    WordPieceOptions options_;
    LengthSets first_, continuing_;             // of all tokens; of those behind the prefix, without it
    std::optional<Trie> trie_;                  // instead of them
    Trie::Node trie_continuing_ = Trie::kNone;  // behind the prefix; kNone: no token begins with it
    std::int32_t unk_;                          // -1: not in the vocabulary
    std::unique_ptr<PieceCache> cache_ = std::make_unique<PieceCache>();
    std::unique_ptr<CharacterCache> characters_ = std::make_unique<CharacterCache>();
};

}  // namespace rag::core
