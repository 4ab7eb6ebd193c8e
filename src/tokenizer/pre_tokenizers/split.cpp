#include "tokenizer/pre_tokenizers/split.hpp"

#include <string_view>

namespace rag::core {

void Split::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    const std::string_view bytes = text.text();
    std::vector<Span> matches;
    std::vector<SplitPart> parts;
    scratch.clear();
    for (const Span& piece : pieces) {
        matches.clear();
        parts.clear();
        pattern_.find_all(bytes, piece, matches);
        std::uint32_t from = piece.start;
        for (const Span& match : matches) {
            if (from < match.start) parts.push_back({{from, match.start}, invert_});
            parts.push_back({match, !invert_});
            from = match.end;
        }
        if (from < piece.end) parts.push_back({{from, piece.end}, invert_});
        join_parts(behavior_, parts, scratch);
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
