#include "tokenizer/pre_tokenizers/digits.hpp"

#include <string_view>

#include "tokenizer/pre_tokenizers/characters.hpp"

namespace rag::core {

void Digits::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    const std::string_view bytes = text.text();
    scratch.clear();
    for (const Span& piece : pieces) {
        std::uint32_t from = piece.start;
        bool in_number = false;
        for (std::uint32_t at = piece.start; at < piece.end;) {
            const Character character = character_at(bytes, at);
            const bool numeric = (character.properties & unicode::kNumeric) != 0;
            if (from < at && (numeric != in_number || (numeric && individual_))) {
                scratch.push_back({from, at});
                from = at;
            }
            in_number = numeric;
            at += character.length;
        }
        if (from < piece.end) scratch.push_back({from, piece.end});
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
