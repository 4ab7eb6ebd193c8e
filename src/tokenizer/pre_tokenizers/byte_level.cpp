#include "tokenizer/pre_tokenizers/byte_level.hpp"

#include "tokenizer/pre_tokenizers/gpt2_scanner.hpp"

namespace rag::core {

void ByteLevel::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    if (add_prefix_space_) text.prefix_spaces(pieces);
    if (!use_regex_) return;
    scratch.clear();
    for (const Span& piece : pieces) scan_gpt2(text.text(), piece, scratch);
    pieces.swap(scratch);
}

}  // namespace rag::core
