// BPEDecoder: the suffix that ends a word becomes a space, and nothing in the last token, which is why one token is held back.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class BpeDecoder final : public TokenDecoder {
  public:
    explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;

  private:
    std::string suffix_;
};

}  // namespace rag::core
