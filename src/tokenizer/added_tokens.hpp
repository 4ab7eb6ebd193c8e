// Added tokens: strings that are cut out of the text before anything else looks at it, some out of the raw text and some out of
// the normalized one, leftmost longest. Their ids may lie inside the model's vocabulary or behind it.
// Built by one thread, then immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/normalized_text.hpp"
#include "tokenizer/token_search.hpp"

namespace rag::core {

struct AddedToken {
    std::string content;
    std::int32_t id = 0;
    bool single_word = false;  // not inside a word
    bool lstrip = false;       // takes the white space before it along
    bool rstrip = false;       // and behind it
    bool normalized = true;    // looked for in normalized text, itself normalized
    bool special = false;      // left out when decoding with skip_special_tokens
    std::string text = {};     // what its id reads as: the content, normalized where `normalized` says so (made by AddedTokens)
};

/// A part of a text: an added token, or (token nullptr) what lies between.
struct TextPart {
    const AddedToken* token;
    Span span;
};

class AddedTokens {
  public:
    AddedTokens() = default;
    AddedTokens(AddedTokens&&) = default;  // not copied: the maps point into the tokens
    AddedTokens& operator=(AddedTokens&&) = default;
    /// The normalizer may be that of an empty plan. Empty contents are ignored. Of several tokens with one content the last
    /// counts, but special once is special for good; of several with one id the last counts. Where different contents have one
    /// normalized form, special ones win, then the first (Hugging Face leaves that to chance). Throws kUnsupported for a token of
    /// which normalization leaves nothing and that has conditions or strips.
    AddedTokens(std::vector<AddedToken> tokens, const NormalizerPlan& normalizer);

    /// The parts of `text` in order, between them nothing is lost; none for an empty text. Appends.
    void split_raw(std::string_view text, std::vector<TextPart>& out) const { raw_.split(text, tokens_, out); }
    void split_normalized(std::string_view text, std::vector<TextPart>& out) const { normalized_.split(text, tokens_, out); }

    const AddedToken* find(std::string_view content) const;
    const AddedToken* find(std::int32_t id) const;
    /// By content, as Hugging Face decides it.
    bool is_special(std::string_view content) const;
    const std::vector<AddedToken>& tokens() const noexcept { return tokens_; }

  private:
    // One of the two sets: the contents with the index of the token.
    struct Set {
        TokenSearch search;
        bool cuts_everywhere = false;  // one of the contents is empty: it stands between any two characters

        void build(const std::vector<std::pair<std::string, std::int32_t>>& contents);
        void split(std::string_view text, const std::vector<AddedToken>& tokens, std::vector<TextPart>& out) const;
        void push_text(std::string_view text, Span span, std::vector<TextPart>& out) const;
    };

    std::vector<AddedToken> tokens_;
    std::unordered_map<std::string_view, std::size_t> by_content_;
    std::unordered_map<std::int32_t, std::size_t> by_id_;
    Set raw_;
    Set normalized_;
};

}  // namespace rag::core
