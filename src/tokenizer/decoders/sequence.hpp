// Sequence: one decoder after the other. SpaceDecoder: what a tokenizer without a decoder does, tokens with spaces between.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class DecoderSequence final : public Decoder {
  public:
    explicit DecoderSequence(std::vector<std::unique_ptr<Decoder>> stages) : stages_(std::move(stages)) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next, bool last) const override;

  private:
    std::vector<std::unique_ptr<Decoder>> stages_;
};

class SpaceDecoder final : public Decoder {
  public:
    std::unique_ptr<DecoderLink> start(DecoderLink& next, bool last) const override;
};

}  // namespace rag::core
