// Tokenizer's insides, shared by tokenizer.cpp (encoding) and tokenizer_text.cpp (decoding, names, templates).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tokenizer/batch.hpp"
#include "tokenizer/chat_templates.hpp"
#include "tokenizer/decoders/sequence.hpp"
#include "tokenizer/normalizers/plan.hpp"
#include "tokenizer/overflow.hpp"
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
    std::string_view text_of(const Encoding& encoding, std::size_t index) const;

    struct Frame;
    /// The tokens of a well-formed text behind those that come before it in a frame (nullptr: none): ids, offsets, words, texts.
    Encoding encode_text(std::string_view text, const Frame* around) const;
    /// The same of a text or of words, without a frame.
    Encoding encode_sequence(const SourceSequence& source) const;
    bool encode_framed(const SourceText& source, const EncodeOptions& options, Encoding& tokens) const;
    /// Special tokens, as the post-processor puts them; then the parts are as one.
    void process(std::vector<EncodedPart>& parts, bool add_special_tokens) const;
    Told told(std::size_t texts) const;
    /// Everything but padding.
    Encoding encode(const TextPair& texts, const EncodeOptions& options) const;
    /// Cuts `parts`; what goes is kept where options.overflow says so.
    std::shared_ptr<CutTexts> truncate(std::vector<EncodedPart>& parts, const Truncation& truncation,
                                       const EncodeOptions& options) const;
    const Padding* padding_of(const EncodeOptions& options) const;
    void pad_to(Encoding& encoding, const Padding& padding, std::size_t length) const;
    std::vector<OverflowingEncoding> overflowing(const CutTexts& cut) const;
    /// Calls sink.added(token, place, matched text) and sink.tokens(tokens, normalized text) in the order of the text.
    /// The text is well-formed and not too long.
    template <typename Sink>
    void run(std::string_view text, bool places, Sink& sink) const;

    TokenizerParts parts;
    NormalizerPlan plan;
    AddedTokens added;
    SpaceDecoder space_decoder;
    std::size_t vocabulary_size = 0;
    std::int32_t limit_of_ids = 0;
    // What the post-processor puts before and behind one text, and the type id it gives it. Not set when it does something else,
    // except that it may trim offsets.
    struct Frame {
        Encoding before, behind;
        std::uint32_t type_id = 0;
    };
    std::optional<Frame> frame;
    // Ids that are an added token's and the model's too and read differently there, since the added token is normalized; what the
    // model makes reads as in the vocabulary.
    std::unordered_map<std::int32_t, std::string> renamed;
    mutable BatchRunner batches;
    ChatTemplates chat_templates;

  private:
    void assign_ids();
    void find_frame();
};

}  // namespace rag::core
