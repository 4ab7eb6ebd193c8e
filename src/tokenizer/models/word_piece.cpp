#include "tokenizer/models/word_piece.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {

WordPiece::WordPiece(Vocabulary vocabulary, WordPieceOptions options)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)), unk_(vocabulary_.find_id(options_.unk_token)) {
    if (vocabulary_.longest() > LengthSets::kMostBytes) {
        build_trie();
    } else {
        index_lengths();
    }
}

void WordPiece::index_lengths() {
    const std::string_view prefix = options_.continuing_subword_prefix;
    vocabulary_.for_each([&](std::string_view token, std::int32_t) {
        if (!token.empty()) first_.add(token);
        if (token.size() > prefix.size() && token.starts_with(prefix)) continuing_.add(token.substr(prefix.size()));
    });
}

void WordPiece::build_trie() {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    keys.reserve(vocabulary_.size());
    vocabulary_.for_each([&](std::string_view token, std::int32_t id) { keys.emplace_back(token, id); });
    trie_.emplace(keys);
    trie_continuing_ = trie_->walk(Trie::kRoot, options_.continuing_subword_prefix);
}

bool WordPiece::too_long(std::string_view word) const {
    return word.size() > options_.max_input_chars_per_word && count_code_points(word) > options_.max_input_chars_per_word;
}

WordPiece::Match WordPiece::find_longest(const LengthSets& sets, std::string_view rest, std::size_t prefix_bytes) const {
    for (std::uint64_t lengths = sets.lengths(rest); lengths != 0;) {
        const auto bytes = static_cast<std::uint32_t>(std::bit_width(lengths));
        const std::int32_t id = vocabulary_.find_id({rest.data() - prefix_bytes, prefix_bytes + bytes});
        if (id >= 0) return {id, bytes};
        lengths ^= std::uint64_t{1} << (bytes - 1);
    }
    return {};
}

bool WordPiece::cut(std::string_view word, Scratch& scratch) const {
    const Match first = find_longest(first_, word, 0);
    if (first.id < 0) return false;
    scratch.symbols.push_back({first.id, first.bytes});
    if (first.bytes == word.size()) return true;
    // What is left of the word behind room for the prefix, which moves along over what is done.
    const std::string_view prefix = options_.continuing_subword_prefix;
    std::string& rest = scratch.behind_prefix;
    rest.assign(prefix).append(word.substr(first.bytes));
    for (std::size_t done = prefix.size(); done < rest.size();) {
        std::copy(prefix.begin(), prefix.end(), rest.begin() + static_cast<std::ptrdiff_t>(done - prefix.size()));
        const Match next = find_longest(continuing_, std::string_view(rest).substr(done), prefix.size());
        if (next.id < 0) return false;
        scratch.symbols.push_back({next.id, scratch.symbols.back().end + next.bytes});
        done += next.bytes;
    }
    return true;
}

bool WordPiece::cut_by_trie(std::string_view word, std::vector<Symbol>& symbols) const {
    Trie::Node start = Trie::kRoot;
    for (std::uint32_t at = 0; at < word.size(); at = symbols.back().end) {
        if (start == Trie::kNone) return false;
        Symbol best{-1, at};
        Trie::Node node = start;
        for (std::uint32_t i = at; i < word.size();) {
            node = trie_->step(node, static_cast<unsigned char>(word[i++]));
            if (node == Trie::kNone) break;
            if (const std::int32_t id = trie_->value(node); id >= 0) best = {id, i};
        }
        if (best.id < 0) return false;
        symbols.push_back(best);
        start = trie_continuing_;
    }
    return true;
}

void WordPiece::search(std::string_view word, Scratch& scratch) const {
    scratch.symbols.clear();
    if (!too_long(word) && (trie_ ? cut_by_trie(word, scratch.symbols) : cut(word, scratch))) return;
    if (unk_ < 0) {
        fail(Code::kInvalidArgument, "the word {} is not in the vocabulary, and neither is the unknown token {}", quote(word, 40),
             quote(options_.unk_token));
    }
    scratch.symbols.assign(1, {unk_, static_cast<std::uint32_t>(word.size())});
}

// Piece by piece, the places in the cache of some pieces asked for before the first of them is looked up.
void WordPiece::tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const {
    Scratch scratch;
    const auto text_of = [&](const Span& piece) { return text.substr(piece.start, piece.end - piece.start); };
    // The character that a piece is, where characters_ has a place for it, else 0.
    const auto single = [&](const Span& piece) {
        if (piece.end - piece.start != CharacterCache::kBytes) return U'\0';
        const char32_t value = code_point_at(text, piece.start).value;
        return CharacterCache::holds(value) ? value : U'\0';
    };
    const auto push = [&](std::uint32_t start, std::span<const Symbol> symbols) {
        std::uint32_t begin = start;
        for (const Symbol& symbol : symbols) {
            out.push_back({symbol.id, {begin, start + symbol.end}});
            begin = start + symbol.end;
        }
    };
    PieceCache::Tokens known;
    for (std::size_t begin = 0; begin < pieces.size(); begin += scratch.keys.size()) {
        const std::span<const Span> block = pieces.subspan(begin, std::min(scratch.keys.size(), pieces.size() - begin));
        for (std::size_t i = 0; i < block.size(); ++i) {
            if (single(block[i]) != 0) continue;
            scratch.keys[i].assign(text_of(block[i]));
            cache_->expect(scratch.keys[i]);
        }
        for (std::size_t i = 0; i < block.size(); ++i) {
            if (block[i].start == block[i].end) continue;
            const char32_t character = single(block[i]);
            const std::size_t count =
                character != 0 ? characters_->find(character, known.data()) : cache_->find(scratch.keys[i], known);
            if (count > 0) {
                push(block[i].start, {known.data(), count});
                continue;
            }
            search(text_of(block[i]), scratch);
            if (character != 0) {
                characters_->put(character, scratch.symbols);
            } else {
                cache_->put(scratch.keys[i], scratch.symbols);
            }
            push(block[i].start, scratch.symbols);
        }
    }
}

}  // namespace rag::core
