// ByteLevel as a normalizer: every byte of the UTF-8 becomes its character of the byte alphabet; those of one character share
// its place.
#pragma once

#include <cstdint>

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

/// The old text up to `end` in the byte alphabet.
void write_alphabet(TextRewrite& rewrite, std::uint32_t end);

class ByteLevelNormalizer final : public Normalizer {
  public:
    void normalize(NormalizedText& text) const override;
};

}  // namespace rag::core
