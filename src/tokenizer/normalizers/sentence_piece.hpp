// SentencePiece's own normalizer (Kudo and Richardson 2018): the longest key of the character map at each place is replaced, user
// defined symbols are left alone, white space is made one or removed at both ends, a space goes before the text, and spaces
// become U+2581. Hugging Face's approximation of it is Precompiled and the stages around that. Immutable, any thread.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "tokenizer/models/trie.hpp"
#include "tokenizer/normalizers/charsmap.hpp"
#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

struct SentencePieceNormalizerOptions {
    bool add_dummy_prefix = true;
    bool remove_extra_whitespaces = true;
    bool escape_whitespaces = true;
};

class SentencePieceNormalizer final : public Normalizer {
  public:
    SentencePieceNormalizer(std::optional<CharsMap> map, Trie user_defined, SentencePieceNormalizerOptions options)
        : map_(std::move(map)), user_defined_(std::move(user_defined)), options_(options) {}
    void normalize(NormalizedText& text) const override;

  private:
    class Writer;
    /// What the text begins with at `at`, in bytes, and what it becomes.
    struct Prefix {
        std::string_view becomes;
        std::uint32_t length;
    };
    Prefix prefix(std::string_view text, std::uint32_t at) const;

    std::optional<CharsMap> map_;
    Trie user_defined_;
    SentencePieceNormalizerOptions options_;
};

}  // namespace rag::core
