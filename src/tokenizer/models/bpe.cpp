#include "tokenizer/models/bpe.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/models/byte_alphabet.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

// `symbols` of the piece that begins at `start`.
void push_tokens(std::uint32_t start, std::span<const Symbol> symbols, std::vector<ModelToken>& out) {
    std::uint32_t begin = start;
    for (const Symbol& symbol : symbols) {
        out.push_back({symbol.id, {begin, start + symbol.end}});
        begin = start + symbol.end;
    }
}

// Begins like Chinese or Japanese text, where pieces are sentences and few come twice.
bool is_wide(std::string_view word) {
    constexpr unsigned char kLead = 0xE3;  // of U+3000
    return static_cast<unsigned char>(word[0]) >= kLead || (word.size() > 1 && static_cast<unsigned char>(word[1]) >= kLead);
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, const MergeSource& merges, BpeOptions options)
    : options_(std::move(options)), vocabulary_(std::move(vocabulary)) {
    add_merges(merges, vocabulary_, {options_.continuing_subword_prefix.size(), options_.rank_by_result}, merges_);
    find_initial_ids();
    if (is_searchable()) {
        make_search();
        // In a stretch as in the piece: what is unknown is one token a character.
        if (options_.byte_fallback || !options_.fuse_unk) {
            stretches_ = std::make_unique<PieceCache>();
            characters_ = std::make_unique<CharacterCache>();
        }
    }
    // What is searched is merged too where a byte is to be left out.
    if (options_.bytes && (search_ == nullptr || !(has_all_bytes() || options_.unk_token))) translate_keys();
}

std::vector<Merge> Bpe::used_merges() const {
    std::vector<Merge> out, done;
    MergeScratch scratch;
    vocabulary_.for_each([&](std::string_view token, std::int32_t id) {
        const auto bytes = alphabet_to_bytes(token);
        if (!bytes || bytes->size() < 2) return;
        scratch.symbols.clear();
        for (std::uint32_t at = 0; at < bytes->size(); ++at) {
            scratch.symbols.push_back({byte_ids_[static_cast<unsigned char>((*bytes)[at])], at + 1});
        }
        done.clear();
        merges_.merge(scratch, done);
        if (scratch.symbols.size() == 1 && scratch.symbols[0].id == id) out.push_back(done.back());
    });
    std::sort(out.begin(), out.end(), [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
    return out;
}

void Bpe::find_initial_ids() {
    std::string character;
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char value = static_cast<char>(byte);
        character.clear();
        append_alphabet(character, {&value, 1});
        byte_ids_[byte] = options_.bytes ? vocabulary_.find_id(character) : -1;
        fallback_ids_[byte] = options_.byte_fallback ? vocabulary_.find_id(fmt::format("<0x{:02X}>", byte)) : -1;
    }
    if (options_.unk_token) unk_ = vocabulary_.find_id(*options_.unk_token);
}

// MergeSearch wants symbols that do not depend on where they stand, ids that stand for one text, and, so that what is no token
// parts a text, that its replacement takes no part in merges. Some byte tokens without the others mix the order (split_symbols).
bool Bpe::is_searchable() const {
    if (!options_.continuing_subword_prefix.empty() || !options_.end_of_word_suffix.empty()) return false;
    if (!vocabulary_.has_one_token_an_id() || vocabulary_.longest() > MergeSearch::kMaxToken) return false;
    if (options_.bytes && has_all_bytes()) return true;
    std::vector<bool> parts(static_cast<std::size_t>(vocabulary_.id_limit()));
    merges_.for_each([&](std::int32_t left, std::int32_t right, std::uint32_t) {
        parts[static_cast<std::size_t>(left)] = true;
        parts[static_cast<std::size_t>(right)] = true;
    });
    if (options_.byte_fallback &&
        std::any_of(fallback_ids_.begin(), fallback_ids_.end(), [](std::int32_t id) { return id < 0; })) {
        return false;
    }
    const auto is_part = [&](std::int32_t id) { return id >= 0 && parts[static_cast<std::size_t>(id)]; };
    return !is_part(unk_) && std::none_of(fallback_ids_.begin(), fallback_ids_.end(), is_part);
}

void Bpe::make_search() {
    std::vector<std::pair<std::string_view, std::int32_t>> keys;
    keys.reserve(vocabulary_.size());
    vocabulary_.for_each([&](std::string_view token, std::int32_t id) { keys.emplace_back(token, id); });
    std::string bytes;  // a token outside the alphabet (a special one) never comes out of bytes
    if (options_.bytes) {
        std::vector<std::pair<std::size_t, std::int32_t>> starts;
        starts.reserve(keys.size());
        for (const auto& [token, id] : keys) {
            const std::size_t start = bytes.size();
            if (append_bytes(bytes, token)) starts.emplace_back(start, id);
        }
        keys.clear();
        for (std::size_t i = 0; i < starts.size(); ++i) {
            const std::size_t end = i + 1 < starts.size() ? starts[i + 1].first : bytes.size();
            keys.emplace_back(std::string_view(bytes).substr(starts[i].first, end - starts[i].first), starts[i].second);
        }
    }
    search_ = std::make_unique<MergeSearch>(merges_, keys, static_cast<std::size_t>(vocabulary_.id_limit()), options_.bytes,
                                            options_.ignore_merges);
}

void Bpe::translate_keys() {
    byte_keys_.reserve(vocabulary_.size());
    vocabulary_.for_each([&](std::string_view token, std::int32_t id) {
        if (const auto bytes = alphabet_to_bytes(token)) byte_keys_.add(*bytes, id);
    });
}

// Symbols that are in no vocabulary become their bytes, or the unknown token (a run of them is one when fuse_unk), or, without
// one, nothing. An unknown token waits for the next known symbol, also past byte tokens: that is Hugging Face's order.
void Bpe::split_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.clear();
    std::string decorated;
    std::uint32_t done = 0;     // bytes of the symbols so far: dropped ones do not count, those behind them move up
    std::uint32_t unknown = 0;  // bytes of the unknown token that waits
    const auto push = [&](std::int32_t id, std::uint32_t length) { symbols.push_back({id, done += length}); };
    const auto push_unknown = [&] {
        if (unknown > 0) push(unk_, std::exchange(unknown, 0));
    };
    for (std::uint32_t at = 0; at < word.size();) {
        const std::uint32_t length = options_.bytes ? 1 : decode_utf8(word, at).length;
        const std::string_view character = word.substr(at, length);
        const std::string_view symbol = decorate(character, at == 0, at + length == word.size(), decorated);
        at += length;
        if (const std::int32_t id = keys().find_id(symbol); id >= 0) {
            push_unknown();
            push(id, length);
        } else if (has_byte_tokens(symbol)) {
            for (const char byte : symbol) push(fallback_ids_[static_cast<unsigned char>(byte)], 1);
        } else if (options_.unk_token) {
            require_unknown(character);
            if (!options_.fuse_unk) push_unknown();
            unknown += length;
        }
    }
    push_unknown();
}

std::string_view Bpe::decorate(std::string_view character, bool first, bool last, std::string& buffer) const {
    const bool add_prefix = !first && !options_.continuing_subword_prefix.empty();
    const bool add_suffix = last && !options_.end_of_word_suffix.empty();
    if (!add_prefix && !add_suffix) return character;
    buffer.assign(add_prefix ? options_.continuing_subword_prefix : std::string());
    buffer += character;
    if (add_suffix) buffer += options_.end_of_word_suffix;
    return buffer;
}

bool Bpe::has_byte_tokens(std::string_view symbol) const {
    return options_.byte_fallback && std::all_of(symbol.begin(), symbol.end(),
                                                 [&](char byte) { return fallback_ids_[static_cast<unsigned char>(byte)] >= 0; });
}

void Bpe::require_unknown(std::string_view character) const {
    if (unk_ >= 0) return;
    fail(Code::kInvalidArgument, "{} is not in the vocabulary, and neither is the unknown token {}", quote(character),
         quote(*options_.unk_token));
}

void Bpe::merge(std::string_view word, MergeScratch& scratch) const {
    const std::int32_t id = options_.ignore_merges ? keys().find_id(word) : -1;
    if (id >= 0) {
        scratch.symbols.assign(1, {id, static_cast<std::uint32_t>(word.size())});
        return;
    }
    split_symbols(word, scratch.symbols);
    merges_.merge(scratch);
}

// False, with nothing said about the symbols, where a character is to be left out. `part`: of a piece.
bool Bpe::search(std::string_view word, bool part, SearchScratch& scratch) const {
    std::vector<Symbol>& symbols = scratch.symbols;
    symbols.clear();
    std::uint32_t unknown_end = 0;  // of the unknown token that came last
    const auto go_on = [&](std::uint32_t at) { return search_->encode(word, at, scratch, part); };
    for (std::uint32_t at = go_on(0); at < word.size(); at = go_on(at)) {
        const std::string_view symbol = word.substr(at, options_.bytes ? 1 : decode_utf8(word, at).length);
        if (has_byte_tokens(symbol)) {
            for (const char byte : symbol) symbols.push_back({fallback_ids_[static_cast<unsigned char>(byte)], ++at});
            continue;
        }
        if (!options_.unk_token) return false;
        require_unknown(symbol);
        const bool joins = options_.fuse_unk && at > 0 && unknown_end == at;
        at += static_cast<std::uint32_t>(symbol.size());
        unknown_end = at;
        if (joins) {
            symbols.back().end = at;
        } else {
            symbols.push_back({unk_, at});
        }
    }
    return true;
}

// Where bytes were left out, Hugging Face lays the tokens one after the other from the start of the piece, by their lengths in
// the alphabet's text. They lie too far left then, and may begin or end inside a character of the alphabet, which counts as
// whole.
void Bpe::push_moved(std::uint32_t start, std::string_view word, std::span<const Symbol> symbols,
                     std::vector<ModelToken>& out) const {
    std::vector<std::uint32_t> all, kept;  // where each byte ends in the alphabet's text, and in that text without those left out
    std::string decorated;
    std::uint32_t all_end = 0, kept_end = 0;
    for (std::size_t at = 0; at < word.size(); ++at) {
        const std::uint32_t width = alphabet_character(static_cast<unsigned char>(word[at])) < 0x80 ? 1 : 2;
        all.push_back(all_end += width);
        const std::string_view symbol = decorate(word.substr(at, 1), at == 0, at + 1 == word.size(), decorated);
        if (keys().find_id(symbol) >= 0) kept.push_back(kept_end += width);
    }
    const auto byte_at = [&](auto place) { return start + static_cast<std::uint32_t>(place - all.begin()); };
    std::uint32_t from = 0;
    for (const Symbol& symbol : symbols) {
        const std::uint32_t to = kept[symbol.end - 1];
        const std::uint32_t first = byte_at(std::upper_bound(all.begin(), all.end(), from));
        const std::uint32_t last = byte_at(std::lower_bound(all.begin(), all.end(), to));
        out.push_back({symbol.id, {first, last + 1}});
        from = to;
    }
}

std::size_t Bpe::find_stretches(std::string_view word, std::uint32_t from, CodePoint& point, Stretches& out) const {
    std::size_t count = 0;
    for (; count < out.size() && from < word.size(); ++count) {
        Stretch& stretch = out[count];
        const char32_t first = point.value;
        stretch.start = from;
        from = stretch.end = search_->next_cut(word, from, point);
        const std::uint32_t size = from - stretch.start;
        stretch.character = size == CharacterCache::kBytes && CharacterCache::holds(first) ? first : U'\0';
        if (stretch.character != 0) continue;
        stretch.key.assign(word.substr(stretch.start, size));
        stretches_->expect(stretch.key);
    }
    return count;
}

std::int32_t Bpe::symbol_of(CodePoint character, std::string_view text) const {
    PieceCache::Tokens known;
    const bool kept = CharacterCache::holds(character.value);
    if (kept && characters_->find(character.value, known.data()) == 1) return known[0].id;
    const std::int32_t id = search_->find(text);
    if (kept && id >= 0) characters_->put(character.value, std::array{Symbol{id, character.length}});
    return id;
}

// A few characters are joined sooner than searched for: most pairs of characters are no merge, which a bit near the core says,
// where a search waits for each step into its trie and for how a token comes about. False where symbols are bytes, of which a
// character is several, or a character is no token.
bool Bpe::merge_stretch(std::string_view text, SearchScratch& scratch) const {
    if (options_.bytes || text.size() > PieceCache::kMaxBytes) return false;
    std::vector<Symbol>& symbols = scratch.merge.symbols;
    symbols.clear();
    for (std::uint32_t at = 0; at < text.size();) {
        const CodePoint character = code_point_at(text, at);
        const std::int32_t id = symbol_of(character, text.substr(at, character.length));
        if (id < 0) return false;
        at += character.length;
        symbols.push_back({id, at});
    }
    merges_.merge(scratch.merge);
    scratch.symbols.swap(symbols);
    return true;
}

bool Bpe::search_stretch(std::string_view text, const Stretch& stretch, std::uint32_t start, SearchScratch& scratch,
                         std::vector<ModelToken>& out) const {
    PieceCache::Tokens known;
    const bool single = stretch.character != 0;
    const std::size_t count = single ? characters_->find(stretch.character, known.data()) : stretches_->find(stretch.key, known);
    if (count > 0) {
        push_tokens(start, {known.data(), count}, out);
        return true;
    }
    if (single || !merge_stretch(text, scratch)) {
        if (!search(text, true, scratch)) return false;
    }
    if (single) {
        characters_->put(stretch.character, scratch.symbols);
    } else {
        stretches_->put(stretch.key, scratch.symbols);
    }
    push_tokens(start, scratch.symbols, out);
    return true;
}

// The same stretch by stretch, of which most were met before: appends the tokens of a word that begins at `start` to `out`.
// False, with `out` as it was, where a character is to be left out: what it kept apart is neighbours then.
bool Bpe::search_stretches(std::string_view word, std::uint32_t start, SearchScratch& scratch,
                           std::vector<ModelToken>& out) const {
    if (options_.ignore_merges && word.size() <= vocabulary_.longest()) {
        if (const std::int32_t id = search_->find(word); id >= 0) {
            out.push_back({id, {start, start + static_cast<std::uint32_t>(word.size())}});
            return true;
        }
    }
    const std::size_t before = out.size();
    thread_local Stretches stretches;
    CodePoint point = code_point_at(word, 0);
    for (std::uint32_t from = 0; from < word.size();) {
        const std::size_t count = find_stretches(word, from, point, stretches);
        for (const Stretch& stretch : std::span(stretches).first(count)) {
            const std::string_view text = word.substr(stretch.start, stretch.end - stretch.start);
            if (search_stretch(text, stretch, start + stretch.start, scratch, out)) continue;
            out.resize(before);
            return false;
        }
        from = stretches[count - 1].end;
    }
    return true;
}

void Bpe::tokenize_piece(std::string_view text, const Span& piece, const PieceCache::Key& key, Scratch& scratch,
                         std::vector<ModelToken>& out) const {
    const std::string_view word = text.substr(piece.start, piece.end - piece.start);
    PieceCache::Tokens known;
    if (const std::size_t count = cache_->find(key, known); count > 0) {
        return push_tokens(piece.start, {known.data(), count}, out);
    }
    const bool found = search_ != nullptr && search(word, false, scratch.search);
    if (!found) merge(word, scratch.merge);
    const std::vector<Symbol>& symbols = found ? scratch.search.symbols : scratch.merge.symbols;
    if (options_.bytes && !symbols.empty() && symbols.back().end < word.size()) {
        return push_moved(piece.start, word, symbols, out);
    }
    cache_->put(key, symbols);
    push_tokens(piece.start, symbols, out);
}

// Piece by piece, the places in the cache of some pieces asked for before the first of them is looked up.
void Bpe::tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const {
    thread_local Scratch scratch;
    thread_local std::array<PieceCache::Key, 16> keys;
    const auto text_of = [&](const Span& piece) { return text.substr(piece.start, piece.end - piece.start); };
    const auto has_stretches = [&](std::string_view word) {
        return stretches_ != nullptr && (word.size() > PieceCache::kMaxBytes || is_wide(word));
    };
    for (std::size_t begin = 0; begin < pieces.size(); begin += keys.size()) {
        const std::span<const Span> block = pieces.subspan(begin, std::min(keys.size(), pieces.size() - begin));
        for (std::size_t i = 0; i < block.size(); ++i) {
            const std::string_view word = text_of(block[i]);
            if (word.empty() || has_stretches(word)) continue;
            keys[i].assign(word);
            cache_->expect(keys[i]);
        }
        for (std::size_t i = 0; i < block.size(); ++i) {
            const std::string_view word = text_of(block[i]);
            if (word.empty()) continue;
            if (has_stretches(word)) {
                if (search_stretches(word, block[i].start, scratch.search, out)) continue;
                keys[i].assign(word);
            }
            tokenize_piece(text, block[i], keys[i], scratch, out);
        }
    }
    scratch.search.shrink();
    scratch.merge.shrink();
}

}  // namespace rag::core
