// ByteLevel: characters of the byte alphabet become bytes again, the bytes of all tokens together are UTF-8; what is not becomes
// U+FFFD, once for each maximal ill-formed part. Bytes that may still become a character are held back.
#pragma once

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class ByteLevelDecoder final : public TokenDecoder {
  public:
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;
};

}  // namespace rag::core
