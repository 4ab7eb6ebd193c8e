// WordPiece: each piece is cut into the longest tokens of the vocabulary from left to right, all but the first looked up behind
// the continuing prefix ("##"); a piece that cannot be covered, or is too long, becomes the unknown token.
// Schuster and Nakajima 2012; Devlin et al. 2018.
#pragma once

#include <string>

#include "tokenizer/models/model.hpp"
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
    bool cut(std::string_view text, Span piece, std::vector<ModelToken>& out) const;
    bool too_long(std::string_view word) const;

    Vocabulary vocabulary_;
    WordPieceOptions options_;
    Trie trie_;
    Trie::Node continuing_;  // behind the prefix; kNone: no token begins with it
    std::int32_t unk_;       // -1: not in the vocabulary
};

}  // namespace rag::core
