// The second stage: cuts the normalized text into pieces that the model tokenizes one by one. A pre-tokenizer goes over all
// pieces there are and cuts each further; text between two pieces is dropped. Pieces stay in order, do not overlap and begin
// and end at characters. Immutable, any thread.
#pragma once

#include <vector>

#include "tokenizer/normalized_text.hpp"

namespace rag::core {

class PreTokenizer {
  public:
    virtual ~PreTokenizer() = default;
    /// Replaces `pieces` by finer ones; empty pieces may be left in. `scratch` is overwritten.
    virtual void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const = 0;
    /// True: the model is to see the bytes of each piece, written in the alphabet of byte-level vocabularies (ByteLevel). No
    /// stage that looks at characters may follow.
    virtual bool makes_bytes() const { return false; }
    /// True: is ByteLevel, or has it.
    virtual bool is_byte_level() const { return false; }
    /// True: split() asks a text that begins the caller's where its pieces came from.
    virtual bool needs_places() const { return false; }
};

}  // namespace rag::core
