#include "tokenizer/pre_tokenizers/unicode_scripts.hpp"

#include <string_view>

#include "tokenizer/unicode/code_points.hpp"
#include "tokenizer/unicode/scripts.hpp"

namespace rag::core {

void UnicodeScripts::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    const std::string_view bytes = text.text();
    scratch.clear();
    for (const Span& piece : pieces) {
        std::uint32_t from = piece.start;
        unsigned last = unicode::kNoScript;
        for (std::uint32_t at = piece.start; at < piece.end;) {
            const CodePoint point = code_point_at(bytes, at);
            const unsigned script = unicode::script(point.value);
            if (script != unicode::kNoScript && script != last) {
                if (last != unicode::kNoScript) scratch.push_back({from, at});
                from = at;
                last = script;
            }
            at += point.length;
        }
        if (last != unicode::kNoScript) scratch.push_back({from, piece.end});
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
