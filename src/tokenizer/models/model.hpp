// The third stage: turns each piece into tokens. A model knows its vocabulary; added tokens are not its business.
// Immutable, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/normalized_text.hpp"

namespace rag::core {

/// Ids at or above this are refused at load: no published vocabulary has a quarter as many.
inline constexpr std::int64_t kMaxTokenId = 1 << 22;

struct ModelToken {
    std::int32_t id;
    Span span;  // bytes of the normalized text
};

class TokenModel {
  public:
    virtual ~TokenModel() = default;
    /// Appends the tokens of text[piece] for each piece, in order.
    virtual void tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const = 0;
    virtual std::optional<std::int32_t> token_to_id(std::string_view token) const = 0;
    /// nullopt where the vocabulary has no such id.
    virtual std::optional<std::string_view> id_to_token(std::int32_t id) const = 0;
    /// Tokens in the vocabulary.
    virtual std::size_t size() const = 0;
    /// One more than the largest id.
    virtual std::int32_t id_limit() const = 0;
    /// The id whose tokens read as the text that they stand for, not as the vocabulary writes it; -1 if there is none.
    virtual std::int32_t id_read_as_text() const { return -1; }
};

}  // namespace rag::core
