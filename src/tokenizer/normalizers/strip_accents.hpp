// StripAccents: removes every mark, and does not decompose first (published files put NFD or NFKD before it).
#pragma once

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

class StripAccents final : public LocalNormalizer {
  public:
    void normalize_run(CharText& text) const override;
    void map_ascii(AsciiMap&) const override {}  // no mark is ASCII
};

}  // namespace rag::core
