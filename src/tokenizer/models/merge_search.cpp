#include "tokenizer/models/merge_search.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kKeptSymbols = 1U << 16;
constexpr std::uint32_t kSide = 3;  // bytes of a border that are looked at on each side

std::uint32_t byte_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}
std::uint32_t three_bytes(std::string_view text, std::size_t at) {
    return byte_at(text, at) | (byte_at(text, at + 1) << 8) | (byte_at(text, at + 2) << 16);
}
std::uint64_t hash_border(std::uint32_t tail, std::uint32_t head) {
    return ((static_cast<std::uint64_t>(tail) << 24) | head) * 0x9E3779B97F4A7C15U;
}
void set_bit(std::vector<std::uint64_t>& bits, std::uint64_t at) {
    bits[at / 64] |= std::uint64_t{1} << (at % 64);
}
bool has_bit(const std::vector<std::uint64_t>& bits, std::uint64_t at) {
    return (bits[at / 64] >> (at % 64) & 1U) != 0;
}

}  // namespace

void SearchScratch::mark_dead(std::uint32_t at) {
    const std::size_t word = at / 64;
    if (!stepped_back) {
        std::fill(dead.begin() + std::ptrdiff_t(dead_begin), dead.begin() + std::ptrdiff_t(dead_end), 0);
        dead_begin = dead_end = word;
        stepped_back = true;
    }
    dead_begin = std::min(dead_begin, word);
    dead_end = std::max(dead_end, word + 1);
    dead[word] |= std::uint64_t{1} << (at % 64);
}

void SearchScratch::shrink() {
    if (symbols.capacity() > kKeptSymbols) {
        symbols = {};
        dead = {};
        dead_begin = dead_end = 0;
    }
}

MergeSearch::MergeSearch(const MergeTable& merges, const Tokens& tokens, std::size_t id_limit, bool bytes, bool whole)
    : merges_(merges),
      bytes_(bytes),
      whole_(whole),
      tokens_(id_limit),
      long_borders_(merges.size()),
      characters_(bytes, merges.size()) {
    find_borders(tokens, id_limit);
    trie_ = Trie(tokens);
}

void MergeSearch::find_borders(const Tokens& tokens, std::size_t id_limit) {
    std::vector<Ends> ends(id_limit);
    for (const auto& [text, id] : tokens) {
        if (text.empty()) continue;
        const bool is_short = text.size() < kSide;
        const std::uint32_t head = is_short ? byte_at(text, 0) | Ends::kIsShort : three_bytes(text, 0);
        const std::uint32_t tail = is_short ? byte_at(text, text.size() - 1) : three_bytes(text, text.size() - kSide);
        ends[static_cast<std::size_t>(id)] = {head | Ends::kIsToken, tail, characters_.begin_of(text), characters_.end_of(text)};
    }
    merges_.for_each([&](std::int32_t left_id, std::int32_t right_id, std::uint32_t) {
        const Ends& left = ends[static_cast<std::size_t>(left_id)];
        const Ends& right = ends[static_cast<std::size_t>(right_id)];
        if ((left.head & right.head & Ends::kIsToken) == 0) return;  // comes out of no text
        characters_.add(left.last, right.first);
        if (((left.head | right.head) & Ends::kIsShort) != 0) {
            const std::uint32_t tail = (left.head & Ends::kIsShort) != 0 ? left.tail : left.tail >> 16;
            set_bit(short_borders_, (tail << 8) | (right.head & 0xFF));
        } else {
            long_borders_.set(hash_border(left.tail, right.head & 0xFFFFFF));
        }
    });
    long_borders_.fold();
    characters_.finish();
}

// False: no merge crosses the border at `at` between the tokens word[start, at) and word[at, end).
bool MergeSearch::may_cross(std::string_view word, std::uint32_t start, std::uint32_t at, std::uint32_t end) const {
    if (has_bit(short_borders_, (byte_at(word, at - 1) << 8) | byte_at(word, at))) return true;
    if (at - start < kSide || end - at < kSide) return false;
    return long_borders_.may_have(hash_border(three_bytes(word, at - kSide), three_bytes(word, at)));
}

std::uint32_t MergeSearch::encode(std::string_view word, std::uint32_t from, SearchScratch& scratch, bool part) const {
    const auto size = static_cast<std::uint32_t>(word.size());
    scratch.first = from;
    scratch.first_symbol = scratch.symbols.size();
    scratch.stepped_back = false;
    if (scratch.dead.size() <= size / 64) scratch.dead.resize(size / 64 + 1);
    for (std::uint32_t at = from, most = size; at < size;) {
        if (take_match(word, at, find_matches(word, at, most, scratch), part, scratch)) {
            at = scratch.symbols.back().end;
            most = size;
            continue;
        }
        if (!is_symbol_known(word, at)) return at;
        // The tokens so far are the only result for what lies before, so no way at all leads on from here.
        scratch.mark_dead(at);
        if (scratch.symbols.size() == scratch.first_symbol)
            fail(Code::kInternal, "no tokens for {}", quote(word.substr(from), 40));
        scratch.symbols.pop_back();
        most = at - 1;
        at = scratch.symbols.size() == scratch.first_symbol ? from : scratch.symbols.back().end;
    }
    return size;
}

// Fills scratch.matches with the tokens that begin at `from` and end at or before `most`; how many.
std::size_t MergeSearch::find_matches(std::string_view word, std::uint32_t from, std::uint32_t most,
                                      SearchScratch& scratch) const {
    std::size_t count = 0;
    Trie::Node node = Trie::kRoot;
    std::uint32_t at = from;
    while (at < most) {
        node = trie_.step(node, static_cast<unsigned char>(word[at++]));
        if (node == Trie::kNone) break;
        if (const std::int32_t id = trie_.value(node); id >= 0) scratch.matches[count++] = {id, at};
    }
    scratch.steps += at - from;
    return count;
}

// Appends the longest match that can stand behind the tokens so far; false if there is none.
bool MergeSearch::take_match(std::string_view word, std::uint32_t at, std::size_t count, bool part,
                             SearchScratch& scratch) const {
    while (count-- > 0) {
        const Symbol match = scratch.matches[count];
        const bool is_word = whole_ && !part && at == 0 && match.end == word.size();
        if (!is_word && (scratch.is_dead(match.end) || !can_follow(word, at, match, scratch))) continue;
        scratch.symbols.push_back(match);
        return true;
    }
    return false;
}

bool MergeSearch::can_follow(std::string_view word, std::uint32_t at, Symbol match, SearchScratch& scratch) const {
    const std::uint32_t right = origin(match.id, word.substr(at, match.end - at), scratch);
    if (right == kNever) return false;
    const std::size_t size = scratch.symbols.size();
    if (size == scratch.first_symbol) return true;
    const Symbol before = scratch.symbols.back();
    const std::uint32_t start = size - 1 == scratch.first_symbol ? scratch.first : scratch.symbols[size - 2].end;
    if (!may_cross(word, start, at, match.end)) return true;
    const std::uint32_t left = token(before.id).origin.load(std::memory_order_relaxed);
    if (left != kOdd && right != kOdd) return stay_apart(before.id, match.id);
    return stay_apart_slowly(word.substr(start, match.end - start), {before.id, at - start}, scratch.merge);
}

bool MergeSearch::is_symbol_known(std::string_view word, std::uint32_t at) const {
    const std::uint32_t length = bytes_ ? 1 : decode_utf8(word, at).length;
    const Trie::Node node = trie_.walk(Trie::kRoot, word.substr(at, length));
    return node != Trie::kNone && trie_.value(node) >= 0;
}

std::uint32_t MergeSearch::origin(std::int32_t id, std::string_view text, SearchScratch& scratch) const {
    // Whoever sees a token's origin sees those of its parts, which were written before it.
    const std::uint32_t known = token(id).origin.load(std::memory_order_acquire);
    return known != kUnknown ? known : learn(id, text, scratch);
}

std::uint32_t MergeSearch::learn(std::int32_t id, std::string_view text, SearchScratch& scratch) const {
    scratch.done.clear();
    if (split_symbols(text, scratch.merge)) {
        for (const Symbol& symbol : scratch.merge.symbols) token(symbol.id).origin.store(kSymbol, std::memory_order_release);
        merges_.merge(scratch.merge, scratch.done);
        for (const Merge& merge : scratch.done) {
            const std::uint32_t left = token(merge.left).origin.load(std::memory_order_relaxed);
            const std::uint32_t right = token(merge.right).origin.load(std::memory_order_relaxed);
            const bool rises = left != kOdd && right != kOdd && kFirst + merge.rank > std::max(left, right);
            const Token made = token(merge.merged);
            made.left.store(merge.left, std::memory_order_relaxed);
            made.right.store(merge.right, std::memory_order_relaxed);
            made.origin.store(rises ? kFirst + merge.rank : std::uint32_t{kOdd}, std::memory_order_release);
        }
        if (scratch.merge.symbols.size() == 1) return token(id).origin.load(std::memory_order_relaxed);
    }
    token(id).origin.store(kNever, std::memory_order_release);
    return kNever;
}

// False when a symbol is no token.
bool MergeSearch::split_symbols(std::string_view text, MergeScratch& scratch) const {
    scratch.symbols.clear();
    for (std::uint32_t at = 0; at < text.size();) {
        const std::uint32_t length = bytes_ ? 1 : decode_utf8(text, at).length;
        const Trie::Node node = trie_.walk(Trie::kRoot, text.substr(at, length));
        if (node == Trie::kNone || trie_.value(node) < 0) return false;
        at += length;
        scratch.symbols.push_back({trie_.value(node), at});
    }
    return true;
}

// Whether no merge crosses the border between two tokens. The merges that made the two are undone, the latest first: at any time
// the border lies between the last part of the left token and the first part of the right one, and a merge of these two happens
// when it is earlier than the one that took one of them away. Of two equal merges the left one is earlier.
bool MergeSearch::stay_apart(std::int32_t left, std::int32_t right) const {
    std::uint32_t limit = MergeTable::kNoRank;
    for (;;) {
        if (merges_.rank(left, right) < limit) return false;
        const Token last = token(left);
        const Token first = token(right);
        const std::uint32_t left_origin = last.origin.load(std::memory_order_relaxed);
        const std::uint32_t right_origin = first.origin.load(std::memory_order_relaxed);
        if (left_origin > right_origin) {
            limit = left_origin - kFirst;
            left = last.right.load(std::memory_order_relaxed);
        } else if (right_origin != kSymbol) {
            limit = right_origin - kFirst + 1;
            right = first.left.load(std::memory_order_relaxed);
        } else {
            return true;
        }
    }
}

// The same by what it means: the merges of the two texts together end at the two tokens.
bool MergeSearch::stay_apart_slowly(std::string_view both, Symbol left, MergeScratch& scratch) const {
    split_symbols(both, scratch);
    merges_.merge(scratch);
    return scratch.symbols.size() == 2 && scratch.symbols[0].id == left.id && scratch.symbols[0].end == left.end;
}

}  // namespace rag::core
