#include "tokenizer/models/word_level.hpp"

#include <utility>

#include "core/error.hpp"

namespace rag::core {

WordLevel::WordLevel(Vocabulary vocabulary, std::string unk_token)
    : vocabulary_(std::move(vocabulary)), unk_token_(std::move(unk_token)), unk_(vocabulary_.find_id(unk_token_)) {}

void WordLevel::tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const {
    for (const Span& piece : pieces) {
        if (piece.start == piece.end) continue;
        const std::string_view word = text.substr(piece.start, piece.end - piece.start);
        std::int32_t id = vocabulary_.find_id(word);
        if (id < 0) id = unk_;
        if (id < 0) {
            fail(Code::kInvalidArgument, "{} is not in the vocabulary, and neither is the unknown token {}", quote(word, 60),
                 quote(unk_token_));
        }
        out.push_back({id, piece});
    }
}

}  // namespace rag::core
