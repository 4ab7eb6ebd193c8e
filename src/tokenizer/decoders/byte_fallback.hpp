// ByteFallback: a run of tokens <0x00> to <0xFF> becomes the text of these bytes, or, where they are not UTF-8, one U+FFFD for
// each of them. One bad byte spoils its whole run, so a run is held back until it ends.
#pragma once

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class ByteFallbackDecoder final : public TokenDecoder {
  public:
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;
};

}  // namespace rag::core
