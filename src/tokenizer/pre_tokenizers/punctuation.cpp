#include "tokenizer/pre_tokenizers/punctuation.hpp"

#include <string_view>

#include "tokenizer/pre_tokenizers/characters.hpp"

namespace rag::core {

void Punctuation::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    const std::string_view bytes = text.text();
    std::vector<SplitPart> parts;
    scratch.clear();
    for (const Span& piece : pieces) {
        parts.clear();
        std::uint32_t from = piece.start;
        for (std::uint32_t at = piece.start; at < piece.end;) {
            const Character character = character_at(bytes, at);
            const std::uint32_t next = at + character.length;
            if ((character.properties & unicode::kPunctuation) != 0) {
                if (from < at) parts.push_back({{from, at}, false});
                parts.push_back({{at, next}, true});
                from = next;
            }
            at = next;
        }
        if (from < piece.end) parts.push_back({{from, piece.end}, false});
        join_parts(behavior_, parts, scratch);
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
