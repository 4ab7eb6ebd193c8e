// A SentencePiece model file (.model): a protocol buffer, message ModelProto of sentencepiece_model.proto
// (https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto), read with bounds-checked code of our own.
// Only the fields that encoding and decoding depend on are kept. Untrusted: every length is checked against what is left.
// Stateless, any thread. Not for: what the values mean (tokenizer/).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace rag::core {

/// Most pieces of a file, longest piece in bytes (SentencePiece's own limit).
inline constexpr std::size_t kMaxSentencePieces = std::size_t{1} << 22;
inline constexpr std::size_t kMaxSentencePieceBytes = 7999;

struct SentencePiece {
    enum Type : std::uint8_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
    std::string text;  // well-formed UTF-8, not empty, without NUL
    float score = 0;   // finite
    Type type = kNormal;
};

struct SentencePieceFile {
    enum ModelType : std::uint8_t { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
    std::vector<SentencePiece> pieces;  // the place is the id
    // trainer_spec
    ModelType model_type = kUnigram;
    bool byte_fallback = false;
    bool treat_whitespace_as_suffix = false;
    std::string unk_surface = " \xe2\x81\x87 ";
    std::string unk_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>", pad_piece = "<pad>";
    // normalizer_spec
    std::string precompiled_charsmap;
    bool add_dummy_prefix = true;
    bool remove_extra_whitespaces = true;
    bool escape_whitespaces = true;
    bool has_denormalizer = false;  // denormalizer_spec with a character map of its own
};

/// `name` is used in messages. Throws kCorrupt naming it and the offset, or the piece.
SentencePieceFile parse_sentencepiece(std::span<const std::byte> bytes, const std::string& name);

}  // namespace rag::core
