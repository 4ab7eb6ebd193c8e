// UnicodeScripts: a piece begins where the script changes; spaces and code points without a script belong to the piece before
// them and are dropped at the beginning. Hiragana and Katakana count as Han. Tables made by scripts/make_unicode_tables.py.
#pragma once

#include "tokenizer/pre_tokenizers/pre_tokenizer.hpp"

namespace rag::core {

class UnicodeScripts final : public PreTokenizer {
  public:
    void split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const override;
};

}  // namespace rag::core
