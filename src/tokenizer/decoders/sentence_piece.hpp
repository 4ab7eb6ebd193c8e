// SentencePiece's own decoder: U+2581 becomes a space, that of the beginning goes, control pieces are nothing, the unknown one is
// its surface, byte pieces are their bytes, each that is no part of a character U+FFFD.
#pragma once

#include <string>
#include <unordered_set>
#include <utility>

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

struct SentencePieceDecoderOptions {
    std::unordered_set<std::string> control;
    std::string unk_piece, unk_surface;
    bool byte_fallback = false;
    bool drop_first_space = true;    // add_dummy_prefix or remove_extra_whitespaces
    bool drop_first_spaces = false;  // remove_extra_whitespaces: those of several pieces
};

class SentencePieceDecoder final : public TokenDecoder {
  public:
    explicit SentencePieceDecoder(SentencePieceDecoderOptions options) : options_(std::move(options)) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;

  private:
    SentencePieceDecoderOptions options_;
};

}  // namespace rag::core
