// Unigram: of all ways to cut a piece into tokens of the vocabulary the one whose scores (log probabilities) add up to the most,
// found by Viterbi's algorithm over a trie. Kudo 2018, "Subword regularization". Characters that no token covers cost ten less
// than the lowest score; neighbours of that kind are one unknown token, or the tokens of their bytes.
// Time is the length of a piece times the longest token; a run of characters that no token begins with, as Chinese is to a
// Western vocabulary, is one step; short pieces that were met before are not searched again (PieceCache). Else immutable, any
// thread; scratch is one a thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/models/model.hpp"
#include "tokenizer/models/piece_cache.hpp"
#include "tokenizer/models/trie.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {

/// A token that can be found in text.
struct UnigramPiece {
    std::string_view text;
    std::int32_t id;
    double score;
};

struct UnigramOptions {
    std::optional<std::int32_t> unk_id;
    bool byte_fallback = false;  // unknown characters become <0x00> to <0xFF> where all their bytes have such a token
    double unk_score = 0;        // of a character that no token covers
    // As Google's program computes, not as Hugging Face: sums are kept in single precision, and a run of unknown characters
    // that is itself the text of a token stays unknown.
    bool sentence_piece = false;
};

class Unigram final : public TokenModel {
  public:
    /// `count`: entries of the file, of which several may have one text. The pieces' texts need not outlive the call; ids of
    /// pieces and unk_id are ids of the vocabulary.
    Unigram(Vocabulary vocabulary, std::size_t count, const std::vector<UnigramPiece>& pieces, UnigramOptions options);
    /// Throws kInvalidArgument for a character that no token covers when there is no unknown token.
    void tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const override;
    std::optional<std::int32_t> token_to_id(std::string_view token) const override { return vocabulary_.find(token); }
    std::optional<std::string_view> id_to_token(std::int32_t id) const override { return vocabulary_.token(id); }
    std::size_t size() const override { return count_; }
    std::int32_t id_limit() const override { return vocabulary_.id_limit(); }
    std::int32_t id_read_as_text() const override { return unk_; }

    const UnigramOptions& options() const noexcept { return options_; }
    double score(std::int32_t id) const noexcept { return scores_[static_cast<std::size_t>(id)]; }

  private:
    static constexpr std::uint32_t kNowhere = 0xFFFFFFFFU;
    /// The best way to reach a place: by token `id`, which begins at `start`.
    struct Step {
        double score;
        std::uint32_t start;
        std::int32_t id;
    };
    template <typename Score>
    void find_path(std::string_view piece, std::vector<Step>& steps) const;
    void append_path(std::string_view piece, std::uint32_t offset, const std::vector<Step>& steps,
                     std::vector<ModelToken>& out) const;
    void append_unknown_reversed(std::string_view unknown, Span span, std::vector<ModelToken>& out) const;

    /// Appends the tokens of a piece at `offset` if they are known.
    bool recall(std::string_view piece, std::uint32_t offset, std::vector<ModelToken>& out) const;
    void remember(std::string_view piece, std::uint32_t offset, std::span<const ModelToken> tokens) const;

    Vocabulary vocabulary_;
    std::size_t count_;
    UnigramOptions options_;
    std::int32_t unk_;  // -1: none
    Trie trie_;
    std::array<bool, 256> begins_token_{};      // by first byte: of what can be found in text
    std::array<bool, 256> begins_text_{};       // of any token
    std::vector<double> scores_;                // by id
    std::array<std::int32_t, 256> byte_ids_{};  // of <0x00> to <0xFF>, -1 where there is none
    std::unique_ptr<PieceCache> cache_ = std::make_unique<PieceCache>();
};

}  // namespace rag::core
