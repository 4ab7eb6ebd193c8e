// A tokenizer.json as its readers see it: all of it as nlohmann's Json, but the model's vocabulary and merges, which are nearly
// all of its bytes (up to 33 MB in published files), are walked where simdjson parsed them. Checked whole before anything is
// read: UTF-8, syntax, depth. One thread; views of strings live as long as this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tokenizer/loading/stage_fields.hpp"
#include "tokenizer/models/vocabulary.hpp"

namespace rag::core {

class TokenizerJson {
  public:
    /// Throws kCorrupt naming `name`, the reason and the place. The text need not outlive the call; it is copied unless it has
    /// room for 64 more bytes (read_text_file gives that).
    TokenizerJson(const std::string& text, std::string name);
    ~TokenizerJson();
    TokenizerJson(const TokenizerJson&) = delete;
    TokenizerJson& operator=(const TokenizerJson&) = delete;

    const std::string& name() const noexcept { return name_; }
    /// The file without model.vocab where that is an object or an array and without model.merges where that is an array.
    const Json& rest() const noexcept { return rest_; }
    /// model.vocab is an object, and its size.
    bool has_tokens() const noexcept;
    std::size_t token_count() const noexcept;
    /// model.vocab is an array, as Unigram's is, and its size.
    bool has_pieces() const noexcept;
    std::size_t piece_count() const noexcept;
    /// model.merges is an array, and its size.
    bool has_merges() const noexcept;
    std::size_t merge_count() const noexcept;

    /// Adds all tokens and ids in the order of the file. Throws kCorrupt for an id that is no integer of [0, kMaxTokenId), and as
    /// Vocabulary::add().
    void add_tokens_to(Vocabulary& vocabulary) const;
    /// Unigram's tokens and scores in order. Throws kCorrupt for an entry that is no token with a finite score.
    void each_piece(const std::function<void(std::string_view token, double score)>& visit) const;
    /// Merges in order: ["left", "right"], or "left right" as old files write it. Throws kCorrupt for anything else.
    void each_merge(const std::function<void(std::string_view left, std::string_view right)>& visit) const;

  private:
    struct Parsed;
    std::string name_;
    Json rest_;
    std::unique_ptr<Parsed> parsed_;
};

}  // namespace rag::core
