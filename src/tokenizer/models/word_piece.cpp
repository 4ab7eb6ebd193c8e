#include "tokenizer/models/word_piece.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {
namespace {

Trie make_trie(const Vocabulary& vocabulary) {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    keys.reserve(vocabulary.size());
    vocabulary.for_each([&](std::string_view token, std::int32_t id) { keys.emplace_back(token, id); });
    return Trie(keys);
}

}  // namespace

WordPiece::WordPiece(Vocabulary vocabulary, WordPieceOptions options)
    : vocabulary_(std::move(vocabulary)),
      options_(std::move(options)),
      trie_(make_trie(vocabulary_)),
      continuing_(trie_.walk(Trie::kRoot, options_.continuing_subword_prefix)),
      unk_(vocabulary_.find_id(options_.unk_token)) {}

bool WordPiece::too_long(std::string_view word) const {
    return word.size() > options_.max_input_chars_per_word && count_code_points(word) > options_.max_input_chars_per_word;
}

bool WordPiece::cut(std::string_view text, Span piece, std::vector<ModelToken>& out) const {
    Trie::Node start = Trie::kRoot;
    for (std::uint32_t at = piece.start; at < piece.end;) {
        if (start == Trie::kNone) return false;
        std::int32_t best = -1;
        std::uint32_t best_end = at;
        Trie::Node node = start;
        for (std::uint32_t i = at; i < piece.end;) {
            node = trie_.step(node, static_cast<unsigned char>(text[i++]));
            if (node == Trie::kNone) break;
            if (const std::int32_t id = trie_.value(node); id >= 0) {
                best = id;
                best_end = i;
            }
        }
        if (best < 0) return false;
        out.push_back({best, {at, best_end}});
        at = best_end;
        start = continuing_;
    }
    return true;
}

void WordPiece::tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const {
    for (const Span& piece : pieces) {
        if (piece.start == piece.end) continue;
        const std::size_t before = out.size();
        if (!too_long(text.substr(piece.start, piece.end - piece.start)) && cut(text, piece, out)) continue;
        if (unk_ < 0) {
            fail(Code::kInvalidArgument, "the word {} is not in the vocabulary, and neither is the unknown token {}",
                 quote(text.substr(piece.start, piece.end - piece.start), 40), quote(options_.unk_token));
        }
        out.resize(before);
        out.push_back({unk_, piece});
    }
}

}  // namespace rag::core
