// Lowercase: the lower case of each code point by itself (one to three code points), without regard to its neighbours.
#pragma once

#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

void make_lower_case(CharText& text);

class Lowercase final : public LocalNormalizer {
  public:
    void normalize_run(CharText& text) const override { make_lower_case(text); }
    void map_ascii(AsciiMap& map) const override;
};

}  // namespace rag::core
