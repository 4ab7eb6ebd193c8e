#include "tokenizer/normalizers/replace.hpp"

#include <vector>

#include "tokenizer/normalized_text.hpp"

namespace rag::core {

void Replace::normalize(NormalizedText& text) const {
    const std::string_view old = text.text();
    if (const std::string_view wanted = pattern_.literal_text(); wanted.size() == 1) return replace_character(text, wanted[0]);
    const auto end = static_cast<std::uint32_t>(old.size());
    std::vector<Span> matches;
    pattern_.find_all(old, {0, end}, matches);
    if (matches.empty()) return;
    TextRewrite rewrite(text);
    for (const Span& match : matches) {
        rewrite.keep_to(match.start);
        rewrite.skip_to(match.end);
        rewrite.put(content_, rewrite.place_before(match.end));
    }
    rewrite.keep_to(end);
    rewrite.finish();
}

// The spaces of converted SentencePiece models: most words have one.
void Replace::replace_character(NormalizedText& text, char wanted) const {
    const std::string_view old = text.text();
    std::size_t found = old.find(wanted);
    if (found == std::string_view::npos) return;
    TextRewrite rewrite(text);
    for (; found != std::string_view::npos; found = old.find(wanted, found + 1)) {
        const auto at = static_cast<std::uint32_t>(found);
        rewrite.keep_to(at);
        rewrite.put(content_, rewrite.place(at));
        rewrite.skip_to(at + 1);
    }
    rewrite.keep_to(static_cast<std::uint32_t>(old.size()));
    rewrite.finish();
}

}  // namespace rag::core
