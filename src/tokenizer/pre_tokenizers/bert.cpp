#include "tokenizer/pre_tokenizers/bert.hpp"

#include <string_view>

#include "tokenizer/pre_tokenizers/characters.hpp"

namespace rag::core {

void BertPreTokenizer::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    const std::string_view bytes = text.text();
    scratch.clear();
    for (const Span& piece : pieces) {
        std::uint32_t word = piece.start;
        for (std::uint32_t at = piece.start; at < piece.end;) {
            const Character character = character_at(bytes, at);
            if ((character.properties & (unicode::kWhite | unicode::kPunctuation)) != 0) {
                if (word < at) scratch.push_back({word, at});
                word = at + character.length;
                if ((character.properties & unicode::kWhite) == 0) scratch.push_back({at, word});
            }
            at += character.length;
        }
        if (word < piece.end) scratch.push_back({word, piece.end});
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
