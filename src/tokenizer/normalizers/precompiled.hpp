// Precompiled: SentencePiece's character map as Hugging Face runs it: grapheme cluster by grapheme cluster; one of less than six
// bytes that begins with a key of the map is replaced as a whole by what the shortest such key says, else each of its characters
// by itself. (SentencePiece itself takes the longest key everywhere.)
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "tokenizer/normalizers/charsmap.hpp"
#include "tokenizer/normalizers/normalizer.hpp"

namespace rag::core {

class Precompiled final : public Normalizer {
  public:
    explicit Precompiled(CharsMap map);
    void normalize(NormalizedText& text) const override;
    /// The same by the definition: every cluster, all of the text. The slow twin for tests, and what runs when a text begins with
    /// something that the map removes, which moves all places by one in Hugging Face.
    void normalize_by_definition(NormalizedText& text) const;

  private:
    class Writer;
    bool rewrite(TextRewrite& rewrite, bool& changed) const;

    CharsMap map_;
    std::array<bool, 128> keeps_;  // ASCII characters that the map has no key for
    bool keeps_han_;               // the same for all of is_common_han()
};

}  // namespace rag::core
