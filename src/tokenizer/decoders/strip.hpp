// Strip: takes up to `start` times a character from the beginning of each token and up to `stop` times from its end. Where a
// token consists of nothing else, Hugging Face may panic; here nothing is left of it.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class StripDecoder final : public TokenDecoder {
  public:
    StripDecoder(std::string content, std::size_t start, std::size_t stop)
        : content_(std::move(content)), start_(start), stop_(stop) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;

  private:
    std::string content_;  // one character
    std::size_t start_, stop_;
};

}  // namespace rag::core
