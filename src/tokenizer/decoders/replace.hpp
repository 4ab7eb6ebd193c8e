// Replace: every match of a pattern in a token becomes a fixed text.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/decoders/decoder.hpp"
#include "tokenizer/regex.hpp"

namespace rag::core {

class ReplaceDecoder final : public TokenDecoder {
  public:
    ReplaceDecoder(Regex pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;

  private:
    Regex pattern_;
    std::string content_;
};

}  // namespace rag::core
