// Fuse: all tokens become one. The stages behind get it in parts, so that a stream need not wait for its end.
#pragma once

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class FuseDecoder final : public TokenDecoder {
  public:
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;
};

}  // namespace rag::core
