#include "tokenizer/pre_tokenizers/byte_level.hpp"

#include <algorithm>

#include "tokenizer/normalizers/byte_level.hpp"
#include "tokenizer/pre_tokenizers/gpt2_scanner.hpp"

namespace rag::core {
namespace {

// A space before each piece that does not begin with one; it shares the place of the character it precedes.
void prefix_spaces(NormalizedText& text, std::vector<Span>& pieces) {
    const std::string_view old = text.text();
    const auto lacks_space = [&](const Span& piece) { return piece.start < piece.end && old[piece.start] != ' '; };
    if (std::none_of(pieces.begin(), pieces.end(), lacks_space)) return;
    TextRewrite rewrite(text);
    for (Span& piece : pieces) {
        rewrite.keep_to(piece.start);
        const std::uint32_t start = rewrite.size();
        if (lacks_space(piece)) rewrite.put(" ", rewrite.place(piece.start));
        rewrite.keep_to(piece.end);
        piece = {start, rewrite.size()};
    }
    rewrite.keep_to(static_cast<std::uint32_t>(old.size()));
    rewrite.finish();
}

void write_pieces(NormalizedText& text, std::vector<Span>& pieces) {
    TextRewrite rewrite(text);
    for (Span& piece : pieces) {
        rewrite.keep_to(piece.start);
        const std::uint32_t start = rewrite.size();
        write_alphabet(rewrite, piece.end);
        piece = {start, rewrite.size()};
    }
    rewrite.keep_to(static_cast<std::uint32_t>(rewrite.old().size()));
    rewrite.finish();
}

}  // namespace

void ByteLevel::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    if (add_prefix_space_) prefix_spaces(text, pieces);
    if (use_regex_) {
        scratch.clear();
        for (const Span& piece : pieces) scan_gpt2(text.text(), piece, scratch);
        pieces.swap(scratch);
    }
    if (written_) write_pieces(text, pieces);
}

}  // namespace rag::core
