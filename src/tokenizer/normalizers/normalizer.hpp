// The first stage: rewrites text before anything is cut. A normalizer sees runs of characters, never the whole text: every one
// here is local, that is, what happens to a character depends only on its neighbours up to the nearest ASCII character on
// either side (NormalizedText relies on it; a normalizer that is not local needs another way in).
// Immutable, any thread.
#pragma once

#include <array>
#include <cstdint>

#include "tokenizer/char_text.hpp"

namespace rag::core {

/// What becomes of each ASCII character by itself: another one, or nothing.
using AsciiMap = std::array<std::int16_t, 128>;
inline constexpr std::int16_t kDropped = -1;

class Normalizer {
  public:
    virtual ~Normalizer() = default;
    virtual void normalize(CharText& text) const = 0;
    /// Applies this stage on top of `map`. An ASCII text must come out of normalize() exactly as through the map.
    virtual void map_ascii(AsciiMap& map) const = 0;
};

}  // namespace rag::core
