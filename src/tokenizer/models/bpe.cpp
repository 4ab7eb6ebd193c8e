#include "tokenizer/models/bpe.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/models/byte_alphabet.hpp"

namespace rag::core {

Bpe::Bpe(Vocabulary vocabulary, const MergeList& merges, BpeOptions options)
    : options_(std::move(options)), vocabulary_(std::move(vocabulary)) {
    if (options_.bytes) {
        byte_keys_.reserve(vocabulary_.size());
        vocabulary_.for_each([&](std::string_view token, std::int32_t id) {
            // A token outside the alphabet (a special one) can never come out of bytes.
            if (const auto bytes = alphabet_to_bytes(token)) byte_keys_.add(*bytes, id);
        });
    }
    add_merges(merges);
    find_initial_ids();
    const auto count = static_cast<std::size_t>(vocabulary_.id_limit());
    whole_ = std::make_unique<std::atomic<std::uint8_t>[]>(count);
}

void Bpe::add_merges(const MergeList& merges) {
    const std::size_t prefix = options_.continuing_subword_prefix.size();
    merges_.reserve(merges.size());
    std::string joined;
    std::int32_t previous = -1;
    for (const auto& [left, right] : merges) {
        const std::int32_t left_id = vocabulary_.find_id(left);
        const std::int32_t right_id = vocabulary_.find_id(right);
        if (left_id < 0 || right_id < 0) {
            fail(Code::kCorrupt, "merge {} names the token {}, which is not in the vocabulary", merges_.size(),
                 quote(left_id < 0 ? left : right));
        }
        joined.assign(left);
        joined += right.substr(std::min(prefix, right.size()));
        const std::int32_t merged = vocabulary_.find_id(joined);
        if (merged < 0) {
            fail(Code::kCorrupt, "merge {} makes the token {}, which is not in the vocabulary", merges_.size(), quote(joined));
        }
        if (options_.rank_by_result && merged == previous) {
            merges_.add_alike(left_id, right_id);
        } else {
            merges_.add(left_id, right_id, merged);
        }
        previous = merged;
    }
}

void Bpe::find_initial_ids() {
    plain_bytes_ = options_.bytes && options_.continuing_subword_prefix.empty() && options_.end_of_word_suffix.empty();
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char character = static_cast<char>(byte);
        byte_ids_[byte] = byte_keys_.find_id({&character, 1});
        fallback_ids_[byte] = options_.byte_fallback ? vocabulary_.find_id(fmt::format("<0x{:02X}>", byte)) : -1;
    }
    if (options_.unk_token) unk_ = vocabulary_.find_id(*options_.unk_token);
}

bool Bpe::split_bytes(std::string_view word, MergeScratch& scratch) const {
    scratch.symbols.resize(word.size());
    std::int32_t sign = 0;
    for (std::size_t i = 0; i < word.size(); ++i) {
        const std::int32_t id = byte_ids_[static_cast<unsigned char>(word[i])];
        scratch.symbols[i] = {id, static_cast<std::uint32_t>(i + 1)};
        sign |= id;
    }
    return sign >= 0;
}

// Symbols that are in no vocabulary become their bytes, or the unknown token (a run of them is one when fuse_unk), or, without
// one, nothing. An unknown token waits for the next known symbol, also past byte tokens: that is Hugging Face's order.
void Bpe::split_characters(std::string_view word, MergeScratch& scratch) const {
    scratch.symbols.clear();
    std::string decorated;
    std::uint32_t done = 0;     // bytes of the symbols so far: dropped ones do not count, those behind them move up
    std::uint32_t unknown = 0;  // bytes of the unknown token that waits
    const auto push = [&](std::int32_t id, std::uint32_t length) { scratch.symbols.push_back({id, done += length}); };
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

// Whether merging the symbols of `word`, which is token `id`, gives that token again.
bool Bpe::rebuilds(std::int32_t id, std::string_view word, MergeScratch& scratch) const {
    auto& state = whole_[static_cast<std::size_t>(id)];
    const std::uint8_t known = state.load(std::memory_order_relaxed);
    if (known != kUnknown) return known == kYes;
    tokenize_piece(word, scratch);
    const bool yes = scratch.symbols.size() == 1 && scratch.symbols[0].id == id;
    state.store(yes ? kYes : kNo, std::memory_order_relaxed);
    return yes;
}

void Bpe::tokenize_piece(std::string_view word, MergeScratch& scratch) const {
    if (!plain_bytes_ || !split_bytes(word, scratch)) split_characters(word, scratch);
    merges_.merge(scratch);
}

void Bpe::tokenize(std::string_view text, std::span<const Span> pieces, std::vector<ModelToken>& out) const {
    thread_local MergeScratch scratch;
    for (const Span& piece : pieces) {
        if (piece.start == piece.end) continue;
        const std::string_view word = text.substr(piece.start, piece.end - piece.start);
        if (plain_bytes_ || options_.ignore_merges) {
            const std::int32_t id = keys().find_id(word);
            if (id >= 0 && (options_.ignore_merges || rebuilds(id, word, scratch))) {
                out.push_back({id, piece});
                continue;
            }
        }
        tokenize_piece(word, scratch);
        std::uint32_t start = piece.start;
        for (const Symbol& symbol : scratch.symbols) {
            out.push_back({symbol.id, {start, piece.start + symbol.end}});
            start = piece.start + symbol.end;
        }
    }
    scratch.shrink();
}

}  // namespace rag::core
