// Tokenizer's insides, shared by tokenizer.cpp (encoding) and tokenizer_text.cpp (decoding, names, templates).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/chat_templates.hpp"
#include "tokenizer/decoders/sequence.hpp"
#include "tokenizer/normalizers/plan.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/tokenizer_parts.hpp"

namespace rag::core {

struct Tokenizer::State {
    explicit State(TokenizerParts all);

    /// The text of an id, of an added token first; nullopt if no token has it.
    std::optional<std::string_view> token_of(std::int32_t id) const;
    std::optional<std::int32_t> id_of(std::string_view token) const;
    bool is_left_out(std::string_view token) const { return added.is_special(token); }
    /// The text of token `index`.
    std::string text_of(const Encoding& encoding, std::size_t index) const;

    Encoding encode_text(std::string_view text, int sequence) const;
    Encoding finish(std::vector<EncodedPart> parts, bool add_special_tokens, bool limit) const;
    Encoding encode(std::string_view text, std::optional<std::string_view> pair, bool add_special_tokens, bool limit) const;
    void pad_to(Encoding& encoding, std::size_t longest) const;
    /// Calls sink.added(token, place, matched text) and sink.tokens(tokens, normalized text) in the order of the text.
    template <typename Sink>
    void run(std::string_view text, bool places, Sink& sink) const;

    TokenizerParts parts;
    NormalizerPlan plan;
    AddedTokens added;
    SpaceDecoder space_decoder;
    std::size_t vocabulary_size = 0;
    std::int32_t limit_of_ids = 0;
    bool pad_named = false;  // the padding token's text is not that of its id
    // What the post-processor puts before and behind one text; not set when it does something else.
    std::optional<std::pair<std::vector<std::int32_t>, std::vector<std::int32_t>>> frame;
    ChatTemplates chat_templates;

  private:
    void assign_ids();
    void find_frame();
};

}  // namespace rag::core
