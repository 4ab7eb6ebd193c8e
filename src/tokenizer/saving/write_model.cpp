#include "tokenizer/saving/write_model.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "tokenizer/models/longest_match.hpp"

namespace rag::core {

void write_vocabulary(const Vocabulary& vocabulary, JsonText& out) {
    std::vector<std::pair<std::int32_t, std::string_view>> tokens;
    tokens.reserve(vocabulary.size());
    vocabulary.for_each([&](std::string_view token, std::int32_t id) { tokens.emplace_back(id, token); });
    // Where tokens share an id, the one that the id reads as comes last: the last one counts when the file is read.
    std::sort(tokens.begin(), tokens.end(), [&](const auto& a, const auto& b) {
        if (a.first != b.first) return a.first < b.first;
        const auto reads_as = vocabulary.token(a.first);
        return std::pair(a.second == reads_as, a.second) < std::pair(b.second == reads_as, b.second);
    });
    out.open('{');
    for (const auto& [id, token] : tokens) out.key(token).integer(id);
    out.close('}');
}

void write_model(const TokenModel& model, JsonText& out) {
    if (const auto* bpe = dynamic_cast<const Bpe*>(&model)) return write_bpe(*bpe, out);
    if (const auto* scored = dynamic_cast<const SentencePieceBpe*>(&model)) return write_sentence_piece_bpe(*scored, out);
    if (const auto* unigram = dynamic_cast<const Unigram*>(&model)) return write_unigram(*unigram, out);
    if (const auto* word_level = dynamic_cast<const WordLevel*>(&model)) return write_word_level(*word_level, out);
    if (const auto* word_piece = dynamic_cast<const WordPiece*>(&model)) return write_word_piece(*word_piece, out);
    if (dynamic_cast<const LongestMatch*>(&model) != nullptr) {
        fail(Code::kUnsupported, "tokenizer.json has no model that always takes the longest token, as RWKV's does");
    }
    fail(Code::kUnsupported, "tokenizer.json has no model that works as this tokenizer's");
}

}  // namespace rag::core
