// Metaspace: the replacement becomes a space again, and nothing in the first token where the pre-tokenizer prepends one.
#pragma once

#include <string>
#include <utility>

#include "tokenizer/decoders/decoder.hpp"

namespace rag::core {

class MetaspaceDecoder final : public TokenDecoder {
  public:
    /// `prepends`: prepend_scheme is not never.
    MetaspaceDecoder(std::string replacement, bool prepends) : replacement_(std::move(replacement)), prepends_(prepends) {}
    std::unique_ptr<DecoderLink> start(DecoderLink& next) const override;

  private:
    std::string replacement_;
    bool prepends_;
};

}  // namespace rag::core
