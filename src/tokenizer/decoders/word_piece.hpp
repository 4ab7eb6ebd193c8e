// WordPiece: a token with the continuing prefix joins the one before it, every other one but the first gets a space in front;
// `cleanup` takes back spaces before punctuation and English contractions, token by token.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

/// The cleaning up of one token.
void clean_up(std::string& text);

class WordPieceDecoder final : public TokenDecoder {
  public:
    WordPieceDecoder(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;

  private:
    std::string prefix_;
    bool cleanup_;
};

}  // namespace rag::core
