// Byte pair encoding as SentencePiece runs it (Kudo and Richardson 2018): no list of merges; two neighbours join if what they
// make is a piece, the highest score first, of equal ones the leftmost. User defined symbols stay whole, pieces that are marked
// unused are taken apart again at the end, what is no piece becomes its bytes or the unknown token. Time is n log n in the
// characters of a text, or of a word where no piece goes over the beginning of a word. Immutable, any thread; scratch belongs to
// one call.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/models/merge_table.hpp"
#include "tokenizer/models/model.hpp"
#include "tokenizer/models/trie.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {

struct ScoredPiece {
    std::string_view text;
    std::int32_t id;
    float score;
    bool user_defined = false;
    bool unused = false;
};

class SentencePieceBpe final : public TokenModel {
  public:
    /// `pieces`: those that text can become; the vocabulary also holds the others. `unk`: the id of what is no piece.
    SentencePieceBpe(Vocabulary vocabulary, const std::vector<ScoredPiece>& pieces, std::int32_t unk, bool byte_fallback);
    void tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const override;
    std::optional<std::int32_t> token_to_id(std::string_view token) const override { return vocabulary_.find(token); }
    std::optional<std::string_view> id_to_token(std::int32_t id) const override { return vocabulary_.token(id); }
    std::size_t size() const override { return vocabulary_.size(); }
    std::int32_t id_limit() const override { return vocabulary_.id_limit(); }
    std::int32_t id_read_as_text() const override { return unk_; }

    const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    bool byte_fallback() const noexcept { return byte_fallback_; }
    std::int32_t unk() const noexcept { return unk_; }
    /// The joins that any text brings about, the first ones first: of each piece the last one of its own text, since a piece
    /// comes about in one way only (merge_search.hpp). With these alone as a list of merges the results are the same. Throws
    /// kUnsupported where no list can say the order, of two pieces with one score, or joins what is no piece. There are no pieces
    /// that are user defined or unused.
    std::vector<Merge> used_merges() const;

  private:
    class Run;
    bool is_unused(std::int32_t id) const noexcept { return any_unused_ && unused_[static_cast<std::size_t>(id)]; }
    void append(std::string_view piece, Span span, std::vector<ModelToken>& out) const;

    Vocabulary vocabulary_;
    Vocabulary pieces_;
    std::vector<float> scores_;  // by id
    std::vector<bool> unused_;   // by id
    bool any_unused_ = false;
    bool words_apart_ = true;  // no piece has U+2581 behind another character
    Trie user_defined_;
    std::int32_t unk_;
    bool byte_fallback_;
    std::array<std::int32_t, 256> byte_ids_{};
};

}  // namespace rag::core
