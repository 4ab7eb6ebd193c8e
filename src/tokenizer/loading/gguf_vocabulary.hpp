// The vocabulary of a GGUF file, checked, and the stages that each kind of it makes. Private to loading/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/gguf.hpp"
#include "tokenizer/loading/stage_fields.hpp"
#include "tokenizer/models/vocabulary.hpp"
#include "tokenizer/tokenizer_parts.hpp"

namespace rag::core {

struct GgufToken {
    // tokenizer.ggml.token_type; kAbsent is ours.
    static constexpr std::int64_t kAbsent = 0, kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6;
    std::string text;
    std::int64_t type = kNormal;
    double score = 0;
};

struct GgufVocabulary {
    /// Throws kCorrupt for lists of different lengths and scores that are no numbers.
    explicit GgufVocabulary(const GgufFile& gguf);
    /// The token id under `key`; nullopt if there is none, kCorrupt if no token has it.
    std::optional<std::int32_t> id(const char* key) const;
    /// All tokens but the absent ones.
    Vocabulary vocabulary() const;

    const GgufFile& file;
    std::vector<GgufToken> tokens;
    bool has_scores = false;
};

/// Which special tokens go round a text when the file does not say.
struct GgufSpecialTokens {
    const char* bos_key = "tokenizer.ggml.bos_token_id";
    const char* eos_key = "tokenizer.ggml.eos_token_id";
    bool add_bos = false, add_eos = false;
    bool bos_before_second = false;  // in a pair
    std::uint32_t second_type_id = 1;
};

// Each describes normalizer, pre-tokenizer and decoder as tokenizer.json does, and makes the model. May rewrite the texts of
// tokens to those of tokenizer.json.
GgufSpecialTokens make_gguf_bpe(GgufVocabulary& vocabulary, Json& stages, TokenizerParts& parts);
GgufSpecialTokens make_gguf_sentence_piece(GgufVocabulary& vocabulary, Json& stages, TokenizerParts& parts);
GgufSpecialTokens make_gguf_word_piece(GgufVocabulary& vocabulary, Json& stages, TokenizerParts& parts);
GgufSpecialTokens make_gguf_unigram(GgufVocabulary& vocabulary, Json& stages, TokenizerParts& parts);

}  // namespace rag::core
