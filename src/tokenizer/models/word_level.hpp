// WordLevel: every piece is one token, looked up as it is; what the vocabulary lacks is the unknown token.
#pragma once

#include <string>

#include "tokenizer/models/model.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {

class WordLevel final : public TokenModel {
  public:
    WordLevel(Vocabulary vocabulary, std::string unk_token);
    /// Throws kInvalidArgument for an unknown piece when the vocabulary lacks the unknown token too.
    void tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const override;
    std::optional<std::int32_t> token_to_id(std::string_view token) const override { return vocabulary_.find(token); }
    std::optional<std::string_view> id_to_token(std::int32_t id) const override { return vocabulary_.token(id); }
    std::size_t size() const override { return vocabulary_.size(); }
    std::int32_t id_limit() const override { return vocabulary_.id_limit(); }

    const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    const std::string& unk_token() const noexcept { return unk_token_; }

  private:
    Vocabulary vocabulary_;
    std::string unk_token_;
    std::int32_t unk_;  // -1: not in the vocabulary
};

}  // namespace rag::core
