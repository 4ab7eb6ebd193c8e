#include "tokenizer/pre_tokenizers/metaspace.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rag::core {

// Whether a piece gets the replacement before it, unless it begins with it already.
bool Metaspace::is_prefixed(const NormalizedText& text, Span piece) const {
    if (scheme_ == PrependScheme::kNever) return false;
    return scheme_ == PrependScheme::kAlways || (text.start() == 0 && text.origin(piece).start == 0);
}

void Metaspace::replace_spaces(NormalizedText& text, std::vector<Span>& pieces) const {
    TextRewrite rewrite(text);
    const std::string_view old = rewrite.old();
    const bool is_space = replacement_ == " ";
    for (Span& piece : pieces) {
        rewrite.keep_to(piece.start);
        const std::uint32_t start = rewrite.size();
        if (piece.start < piece.end) {
            const bool begins_with_it = (old[piece.start] == ' ') || old.substr(piece.start).starts_with(replacement_);
            if (!begins_with_it && is_prefixed(text, piece)) rewrite.put(replacement_, rewrite.place(piece.start));
        }
        while (!is_space) {
            const void* found = std::memchr(old.data() + rewrite.at(), ' ', piece.end - rewrite.at());
            if (found == nullptr) break;
            rewrite.keep_to(static_cast<std::uint32_t>(static_cast<const char*>(found) - old.data()));
            rewrite.put(replacement_, rewrite.place(rewrite.at()));
            rewrite.skip_to(rewrite.at() + 1);
        }
        rewrite.keep_to(piece.end);
        piece = {start, rewrite.size()};
    }
    rewrite.keep_to(static_cast<std::uint32_t>(old.size()));
    rewrite.finish();
}

void Metaspace::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    replace_spaces(text, pieces);
    if (!split_) return;
    const std::string_view bytes = text.text();
    scratch.clear();
    for (const Span& piece : pieces) {
        std::uint32_t begin = piece.start;
        while (begin < piece.end) {
            const std::size_t next = bytes.substr(0, piece.end).find(replacement_, begin + 1);
            const std::uint32_t end = next == std::string_view::npos ? piece.end : static_cast<std::uint32_t>(next);
            scratch.push_back({begin, end});
            begin = end;
        }
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
