// CTC: of equal tokens in a row one counts, padding goes, and `cleanup` makes spaces of word delimiters and cleans up as
// WordPiece does. Graves et al. 2006.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class CtcDecoder final : public TokenDecoder {
  public:
    CtcDecoder(std::string pad_token, std::string word_delimiter, bool cleanup)
        : pad_token_(std::move(pad_token)), word_delimiter_(std::move(word_delimiter)), cleanup_(cleanup) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;

  private:
    class Link;
    std::string pad_token_, word_delimiter_;
    bool cleanup_;
};

}  // namespace rag::core
