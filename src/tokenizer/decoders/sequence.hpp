// Sequence: one decoder after the other. SpaceDecoder: what a tokenizer without a decoder does, tokens with spaces between.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class DecoderSequence final : public TokenDecoder {
  public:
    explicit DecoderSequence(std::vector<std::unique_ptr<TokenDecoder>> stages) : stages_(std::move(stages)) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;

  private:
    std::vector<std::unique_ptr<TokenDecoder>> stages_;
};

class SpaceDecoder final : public TokenDecoder {
  public:
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;
};

}  // namespace rag::core
