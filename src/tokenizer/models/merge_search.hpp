// What a list of BPE merges makes of a text, found in linear time: from left to right the longest token that can stand behind the
// one before, stepping back where none can. Equal to MergeTable::merge, which is its slow twin.
// Why that is so: as long as no merge crosses the two ends of a stretch, the merges inside it are those of the stretch alone, in
// the same order. Hence (1) a token comes about in one way only, that of its own text; (2) neighbours in a result are the result
// for the two alone, and a sequence in which that holds for all neighbours is the result, since the first merge that crossed a
// border would do so in the two alone. Compare Berglund and van der Merwe 2023, "Formalizing BPE Tokenization".
// How each token comes about is found out when it is first met; two threads can only write the same. Else immutable, any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "core/zeroed_array.hpp"
#include "tokenizer/models/character_borders.hpp"
#include "tokenizer/models/hashed_bits.hpp"
#include "tokenizer/models/merge_table.hpp"
#include "tokenizer/models/trie.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {

struct SearchScratch;

class MergeSearch {
  public:
    /// Vocabularies with a longer token are not for this: from each place of a text so many bytes may be looked at.
    static constexpr std::size_t kMaxToken = 512;

    using Tokens = std::vector<std::pair<std::string_view, std::int32_t>>;

    /// `tokens`: all of them, of at most kMaxToken bytes, each with an id of its own below `id_limit`. Symbols are bytes
    /// (`bytes`) or characters, and their ids those of the tokens with their text. `merges` join texts and must outlive this.
    /// `whole`: a text that is a token is that token, whatever the merges say.
    MergeSearch(const MergeTable& merges, const Tokens& tokens, std::size_t id_limit, bool bytes, bool whole);

    /// Appends the tokens of word[from, end) to scratch.symbols, with ends counted from the start of the word. Returns the end:
    /// that of the word or the place of a symbol that is no token (merges cannot cross it). `part`: the word is part of a text,
    /// so `whole` is not for it.
    std::uint32_t encode(std::string_view word, std::uint32_t from, SearchScratch& scratch, bool part = false) const;
    /// The first place behind `from` that no merge can cross, or the end of the word. What lies before it and what lies behind
    /// can be encoded alone. The word is well-formed UTF-8, `from` the start of a character. `point`: the character at `from`,
    /// then the one at the cut (none at the end of the word).
    std::uint32_t next_cut(std::string_view word, std::uint32_t from, CodePoint& point) const {
        for (std::uint32_t at = from + point.length;; at += point.length) {
            if (at >= word.size()) return at;
            const char32_t before = point.value;
            point = code_point_at(word, at);
            if (!characters_.may_cross(before, point.value)) return at;
        }
    }
    /// The id of a token by its text, or -1.
    std::int32_t find(std::string_view text) const {
        const Trie::Node node = trie_.walk(Trie::kRoot, text);
        return node == Trie::kNone ? -1 : trie_.value(node);
    }

  private:
    // How a token comes about: kUnknown until it is met; kSymbol: it is one symbol; kNever: the merges make something else of its
    // text; kOdd: by merges whose ranks do not rise; else kFirst + the rank of the last merge.
    enum Origin : std::uint32_t { kUnknown = 0, kSymbol, kNever, kOdd, kFirst };

    // A token as the borders of merges see it: its first and last three bytes, or of a short one the first and last.
    struct Ends {
        static constexpr std::uint32_t kIsToken = 1U << 31, kIsShort = 1U << 30;
        std::uint32_t head = 0, tail = 0;  // bits of head above the bytes say what it is
        CharacterBorders::End first{}, last{};
    };
    // How a token comes about, in one place because all of it is asked together. Read and written through std::atomic_ref.
    struct Place {
        std::uint32_t origin;      // zero, as all of it is at first: kUnknown
        std::int32_t left, right;  // what the last merge joined
        std::int32_t unused;       // four to a cache line
    };
    struct Token {
        std::atomic_ref<std::uint32_t> origin;
        std::atomic_ref<std::int32_t> left, right;
    };
    void find_borders(const Tokens& tokens, std::size_t id_limit);
    bool may_cross(std::string_view word, std::uint32_t start, std::uint32_t at, std::uint32_t end) const;
    std::size_t find_matches(std::string_view word, std::uint32_t from, std::uint32_t most, SearchScratch& scratch) const;
    bool take_match(std::string_view word, std::uint32_t at, std::size_t count, bool part, SearchScratch& scratch) const;
    bool can_follow(std::string_view word, std::uint32_t at, Symbol match, SearchScratch& scratch) const;
    bool is_symbol_known(std::string_view word, std::uint32_t at) const;
    std::uint32_t origin(std::int32_t id, std::string_view text, SearchScratch& scratch) const;
    Token token(std::int32_t id) const noexcept {
        Place& place = tokens_[static_cast<std::size_t>(id)];
        return {std::atomic_ref(place.origin), std::atomic_ref(place.left), std::atomic_ref(place.right)};
    }
    std::uint32_t learn(std::int32_t id, std::string_view text, SearchScratch& scratch) const;
    bool split_symbols(std::string_view text, MergeScratch& scratch) const;
    bool stay_apart(std::int32_t left, std::int32_t right) const;
    bool stay_apart_slowly(std::string_view both, Symbol left, MergeScratch& scratch) const;

    const MergeTable& merges_;
    Trie trie_;
    bool bytes_;
    bool whole_;
    ZeroedArray<Place> tokens_;  // by id
    // Which borders a merge can cross at all, so that most are settled without looking at merges (measured: 86% of those in
    // Chinese text). By the last byte on the left and the first on the right for merges with a part of less than three bytes,
    // else by three bytes on each side, hashed.
    std::vector<std::uint64_t> short_borders_ = std::vector<std::uint64_t>(1024);
    HashedBits long_borders_;
    CharacterBorders characters_;
};

/// One thread's.
struct SearchScratch {
    std::vector<Symbol> symbols;                         // the result
    std::size_t steps = 0;                               // in the trie: tests count them
    std::array<Symbol, MergeSearch::kMaxToken> matches;  // tokens that begin at one place, the longest last
    std::uint32_t first = 0;                             // where the stretch begins that is searched, in bytes
    std::size_t first_symbol = 0;                        // and in symbols
    bool stepped_back = false;                           // in this stretch
    std::vector<std::uint64_t> dead;                     // then a bit a place: no way leads on from there
    std::size_t dead_begin = 0, dead_end = 0;            // words of it that may not be 0
    MergeScratch merge;
    std::vector<Merge> done;

    bool is_dead(std::uint32_t at) const { return stepped_back && (dead[at / 64] >> (at % 64) & 1U) != 0; }
    void mark_dead(std::uint32_t at);
    void shrink();
};

}  // namespace rag::core
