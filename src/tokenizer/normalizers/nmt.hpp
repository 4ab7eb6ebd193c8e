// Nmt: removes control characters and makes a space of white and invisible ones, as SentencePiece's rules "nmt_*" do.
#pragma once

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

class Nmt final : public LocalNormalizer {
  public:
    void normalize_run(CharText& text) const override;
    void map_ascii(AsciiMap& map) const override;
};

}  // namespace rag::core
