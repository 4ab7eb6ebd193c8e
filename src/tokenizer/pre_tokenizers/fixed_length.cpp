#include "tokenizer/pre_tokenizers/fixed_length.hpp"

#include <string_view>

#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {

void FixedLength::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    const std::string_view bytes = text.text();
    scratch.clear();
    for (const Span& piece : pieces) {
        for (std::uint32_t at = piece.start; at < piece.end;) {
            const std::uint32_t from = at;
            for (std::uint32_t i = 0; i < length_ && at < piece.end; ++i) at += code_point_at(bytes, at).length;
            scratch.push_back({from, at});
        }
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
