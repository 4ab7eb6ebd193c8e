// Longest match: from left to right always the longest token that the rest of the piece begins with. That is all there is to
// RWKV's "world" vocabularies. Tokens are bytes, written in the byte alphabet; every single byte is one, so nothing is unknown.
// Time is the length of a piece times the longest token. Immutable, any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tokenizer/models/model.hpp"
#include "tokenizer/models/trie.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {

class LongestMatch final : public TokenModel {
  public:
    /// Bytes and ids. Throws kCorrupt when a token or an id occurs twice, or a byte has no token.
    explicit LongestMatch(const std::vector<std::pair<std::string, std::int64_t>>& tokens);
    void tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const override;
    std::optional<std::int32_t> token_to_id(std::string_view token) const override { return vocabulary_.find(token); }
    std::optional<std::string_view> id_to_token(std::int32_t id) const override { return vocabulary_.token(id); }
    std::size_t size() const override { return vocabulary_.size(); }
    std::int32_t id_limit() const override { return vocabulary_.id_limit(); }

  private:
    Vocabulary vocabulary_;  // in the byte alphabet
    Trie trie_;              // over bytes
};

}  // namespace rag::core
