#include "tokenizer/normalizers/replace.hpp"

#include <vector>

#include "tokenizer/normalized_text.hpp"

namespace rag::core {

void Replace::normalize(NormalizedText& text) const {
    const std::string_view old = text.text();
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

}  // namespace rag::core
