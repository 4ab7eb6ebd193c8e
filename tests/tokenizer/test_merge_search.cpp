// Searching against merging: MergeSearch must give what MergeTable::merge gives, for vocabularies trained on text, for lists of
// merges that no training makes, over bytes and over characters; in time that does not grow faster than the text; from threads
// that learn at the same time. And the cache of pieces: what it finds is what was put in.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/utf8.hpp"
#include "tokenizer/models/character_borders.hpp"
#include "tokenizer/models/character_cache.hpp"
#include "tokenizer/models/hashed_bits.hpp"
#include "tokenizer/models/merge_search.hpp"
#include "tokenizer/models/piece_cache.hpp"

using namespace rag::core;

namespace {

using Random = std::mt19937;

// Tokens are numbered as they are added; the first ones are the symbols.
struct Vocabulary {
    std::vector<std::string> texts;
    std::map<std::string, std::int32_t> ids;
    MergeTable merges;
    bool bytes = true;

    std::int32_t add(const std::string& text) {
        const auto [at, is_new] = ids.emplace(text, static_cast<std::int32_t>(texts.size()));
        if (is_new) texts.push_back(text);
        return at->second;
    }
    void merge(std::int32_t left, std::int32_t right) {
        merges.add(left, right, add(texts[static_cast<std::size_t>(left)] + texts[static_cast<std::size_t>(right)]));
    }
    MergeSearch search(bool whole = false) const {
        MergeSearch::Tokens tokens;
        for (std::size_t id = 0; id < texts.size(); ++id) tokens.emplace_back(texts[id], static_cast<std::int32_t>(id));
        return {merges, tokens, texts.size(), bytes, whole};
    }
    std::vector<Symbol> symbols(const std::string& text) const {
        std::vector<Symbol> out;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t length = bytes ? 1 : decode_utf8(text, at).length;
            out.push_back({ids.at(text.substr(at, length)), static_cast<std::uint32_t>(at + length)});
            at += length;
        }
        return out;
    }
};

std::string random_text(Random& random, const std::vector<std::string>& alphabet, std::size_t size) {
    std::string out;
    std::size_t favourite = 0;
    for (std::size_t i = 0; i < size; ++i) {
        if (random() % 3 == 0) favourite = random() % alphabet.size();
        out += alphabet[random() % 4 == 0 ? random() % alphabet.size() : favourite];
    }
    return out;
}

Vocabulary with_symbols(const std::vector<std::string>& alphabet, bool bytes) {
    Vocabulary out;
    out.bytes = bytes;
    for (const std::string& letter : alphabet) {
        if (!bytes) out.add(letter);
        for (const char byte : bytes ? letter : std::string()) out.add(std::string(1, byte));
    }
    return out;
}

// The most frequent pair of the text, again and again. Sennrich et al. 2016, algorithm 1.
Vocabulary trained(Random& random, const std::vector<std::string>& alphabet, bool bytes, int count) {
    Vocabulary out = with_symbols(alphabet, bytes);
    std::vector<std::int32_t> text;
    for (const Symbol& symbol : out.symbols(random_text(random, alphabet, 3000))) text.push_back(symbol.id);
    for (int i = 0; i < count; ++i) {
        std::map<std::pair<std::int32_t, std::int32_t>, int> pairs;
        for (std::size_t at = 0; at + 1 < text.size(); ++at) ++pairs[{text[at], text[at + 1]}];
        if (pairs.empty()) break;
        const auto best =
            std::max_element(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
        out.merge(best.first, best.second);
        const std::int32_t merged = out.ids.at(out.texts[std::size_t(best.first)] + out.texts[std::size_t(best.second)]);
        std::vector<std::int32_t> next;
        for (std::size_t at = 0; at < text.size(); ++at) {
            const bool joins = at + 1 < text.size() && text[at] == best.first && text[at + 1] == best.second;
            next.push_back(joins ? merged : text[at]);
            at += joins;
        }
        text.swap(next);
    }
    return out;
}

// Any two tokens in any order, several ways to one text, tokens that no text makes.
Vocabulary chaotic(Random& random, const std::vector<std::string>& alphabet, bool bytes, int count) {
    Vocabulary out = with_symbols(alphabet, bytes);
    for (int i = 0; i < count; ++i) {
        const auto any = [&] { return static_cast<std::int32_t>(random() % out.texts.size()); };
        const std::int32_t left = any();
        const std::int32_t right = any();
        if (out.texts[std::size_t(left)].size() + out.texts[std::size_t(right)].size() < 20) out.merge(left, right);
    }
    // Every way to make the tokens there are, as conversions from other formats write it.
    if (random() % 2 == 0) {
        const std::vector<std::string> all = out.texts;
        const bool alike = random() % 2 == 0;  // and in tiktoken's the ways to one token have one rank
        for (const std::string& text : all) {
            bool is_first = true;
            for (std::size_t cut = 1; cut < text.size(); ++cut) {
                const auto left = out.ids.find(text.substr(0, cut));
                const auto right = out.ids.find(text.substr(cut));
                if (left == out.ids.end() || right == out.ids.end()) continue;
                if (alike && !is_first) {
                    out.merges.add_alike(left->second, right->second);
                } else {
                    out.merge(left->second, right->second);
                }
                is_first = false;
            }
        }
    }
    return out;
}

void check_equal(const Vocabulary& vocabulary, const MergeSearch& search, const std::string& text, SearchScratch& scratch) {
    MergeScratch merged;
    merged.symbols = vocabulary.symbols(text);
    vocabulary.merges.merge(merged);
    scratch.symbols.clear();
    REQUIRE(search.encode(text, 0, scratch) == text.size());
    const bool equal = std::equal(merged.symbols.begin(), merged.symbols.end(), scratch.symbols.begin(), scratch.symbols.end(),
                                  [](const Symbol& a, const Symbol& b) { return a.id == b.id && a.end == b.end; });
    INFO(text);
    CHECK(equal);
}

const std::vector<std::string> kLetters = {"a", "b", "c"};
const std::vector<std::string> kMany = {"a", "e", "t", " ", "\xe4\xb8\xad", "\xe6\x96\x87", "\xe4\xba\xba", "\xc3\xa9"};

}  // namespace

TEST_CASE("searching a text gives what merging it gives") {
    Random random(5);
    SearchScratch scratch;
    for (int round = 0; round < 400; ++round) {
        const auto& alphabet = round % 4 < 2 ? kLetters : kMany;
        const bool bytes = round % 2 == 0;
        const int count = static_cast<int>(random() % 120);
        const Vocabulary vocabulary =
            round % 3 == 0 ? trained(random, alphabet, bytes, count) : chaotic(random, alphabet, bytes, count);
        const MergeSearch search = vocabulary.search();
        for (const std::size_t size : {1U, 2U, 3U, 4U, 7U, 12U, 30U, 90U, 300U}) {
            for (int i = 0; i < 4; ++i) check_equal(vocabulary, search, random_text(random, alphabet, size), scratch);
        }
        check_equal(vocabulary, search, std::string(200, 'a'), scratch);
    }
}

TEST_CASE("a symbol that is no token ends the search there") {
    Random random(6);
    SearchScratch scratch;
    for (int round = 0; round < 100; ++round) {
        Vocabulary vocabulary = chaotic(random, kMany, false, 60);
        vocabulary.add("a?");  // a token, and its second symbol is none
        vocabulary.add("?");
        vocabulary.texts.pop_back();
        vocabulary.ids.erase("?");
        const MergeSearch search = vocabulary.search();
        const std::string before = random_text(random, kMany, 20) + "a";
        const std::string text = before + "?" + random_text(random, kMany, 20);
        MergeScratch merged;
        merged.symbols = vocabulary.symbols(before);
        vocabulary.merges.merge(merged);
        scratch.symbols.clear();
        CHECK(search.encode(text, 0, scratch) == before.size());
        CHECK(scratch.symbols.size() == merged.symbols.size());
        CHECK(search.encode(text, static_cast<std::uint32_t>(before.size()), scratch) == before.size());
        CHECK(search.encode(text, static_cast<std::uint32_t>(before.size()) + 1, scratch) == text.size());
    }
}

TEST_CASE("a whole text that is a token is that token where the model says so") {
    Vocabulary vocabulary = with_symbols(kLetters, true);
    const std::int32_t token = vocabulary.add("abc");  // no merge makes it
    SearchScratch scratch;
    CHECK(vocabulary.search(true).encode("abc", 0, scratch) == 3);
    REQUIRE(scratch.symbols.size() == 1);
    CHECK(scratch.symbols[0].id == token);
    scratch.symbols.clear();
    vocabulary.search(false).encode("abc", 0, scratch);
    CHECK(scratch.symbols.size() == 3);
}

TEST_CASE("a text that is cut where no merge can cross, searched part by part, gives what merging it gives") {
    Random random(7);
    SearchScratch scratch;
    std::array<std::size_t, 2> cuts{};
    for (int round = 0; round < 800; ++round) {
        const bool bytes = round % 2 == 0;
        const auto& alphabet = round % 8 < 2 ? kLetters : kMany;
        const int count = static_cast<int>(random() % (bytes ? 30 : 60));
        const Vocabulary vocabulary =
            round % 3 == 0 ? trained(random, alphabet, bytes, count) : chaotic(random, alphabet, bytes, count);
        const MergeSearch search = vocabulary.search();
        for (const std::size_t size : {1U, 2U, 3U, 7U, 30U, 200U}) {
            const std::string text = random_text(random, alphabet, size);
            MergeScratch merged;
            merged.symbols = vocabulary.symbols(text);
            vocabulary.merges.merge(merged);
            std::vector<Symbol> found;
            CodePoint point = code_point_at(text, 0);
            for (std::uint32_t from = 0; from < text.size();) {
                CHECK(point.value == code_point_at(text, from).value);
                const std::uint32_t end = search.next_cut(text, from, point);
                REQUIRE(end > from);
                scratch.symbols.clear();
                REQUIRE(search.encode(text.substr(from, end - from), 0, scratch) == end - from);
                for (const Symbol& symbol : scratch.symbols) found.push_back({symbol.id, from + symbol.end});
                from = end;
                cuts[bytes] += end < text.size();
            }
            const bool equal = std::equal(merged.symbols.begin(), merged.symbols.end(), found.begin(), found.end(),
                                          [](const Symbol& a, const Symbol& b) { return a.id == b.id && a.end == b.end; });
            INFO(text);
            CHECK(equal);
        }
    }
    CHECK(cuts[0] > 1000);
    CHECK(cuts[1] > 1000);
}

TEST_CASE("hashed bits keep what was set when they are folded, and little else") {
    Random random(5);
    for (const std::size_t count : {0U, 1U, 10U, 1000U, 100000U}) {
        HashedBits bits(count * 8);
        std::vector<std::uint64_t> hashes(count);
        for (std::uint64_t& hash : hashes) hash = (static_cast<std::uint64_t>(random()) << 32) | random();
        for (const std::uint64_t hash : hashes) bits.set(hash);
        const std::size_t before = bits.size_bytes();
        bits.fold();
        CHECK(bits.size_bytes() <= before);
        CHECK(bits.size_bytes() <= std::max<std::size_t>(8, 2 * 16 * count / 8));
        CHECK(std::all_of(hashes.begin(), hashes.end(), [&](std::uint64_t hash) { return bits.may_have(hash); }));
        int others = 0;
        for (int i = 0; i < 10000; ++i) others += bits.may_have((static_cast<std::uint64_t>(random()) << 32) | random());
        CHECK(others < 1000);  // one of sixteen on average
    }
}

TEST_CASE("a border of two characters is open where a merge crosses it, whole characters or parts, and nowhere else") {
    constexpr char32_t kLeft = 0x4E2D, kRight = 0x6587, kOther = 0x4EBA;  // E4 B8 AD, E6 96 87, E4 BA BA
    struct Case {
        std::string left, right;
        bool crossed;
    };
    for (const Case& one :
         {Case{"\xE4\xB8\xAD", "\xE6\x96\x87", true}, Case{"x\xE4\xB8\xAD", "\xE6\x96\x87y", true},
          Case{"\xE4\xB8\xAD", "\xE6\x96", true}, Case{"\xE4\xB8\xAD", "\xE6", true}, Case{"\xB8\xAD", "\xE6\x96\x87", true},
          Case{"\xAD", "\xE6\x96\x87", true}, Case{"\xB8\xAD", "\xE6", true}, Case{"\xAD", "\xE6\x96", true},
          Case{"\xE4\xB8", "\xAD", false}, Case{"\xE6", "\x96\x87", false}, Case{"x", "\xE6\x96\x87", false},
          Case{"\xE4\xB8\xAD", "y", false}}) {
        CharacterBorders borders(true, 1);
        borders.add(borders.end_of(one.left), borders.begin_of(one.right));
        CHECK(borders.may_cross(kLeft, kRight) == one.crossed);
        CHECK_FALSE(borders.may_cross(kOther, kOther));
        CHECK(borders.may_cross('a', kRight));  // not known for ASCII, so open
    }
}

TEST_CASE("the cache of characters gives back what it was given, or nothing") {
    CharacterCache cache;
    std::array<Symbol, CharacterCache::kMaxTokens> tokens{};
    CHECK_FALSE(CharacterCache::holds(U'a'));
    CHECK_FALSE(CharacterCache::holds(0xA000));
    REQUIRE(CharacterCache::holds(0x4E2D));
    CHECK(cache.find(0x4E2D, tokens.data()) == 0);
    const std::int32_t last = static_cast<std::int32_t>(kMaxTokenId) - 1;
    const std::vector<std::vector<Symbol>> lists = {{{0, 3}}, {{last, 3}}, {{0, 1}, {0, 3}}, {{last, 2}, {last, 3}}};
    for (std::size_t i = 0; i < lists.size(); ++i) {
        const char32_t character = 0x4E00 + static_cast<char32_t>(i);
        cache.put(character, lists[i]);
        REQUIRE(cache.find(character, tokens.data()) == lists[i].size());
        for (std::size_t k = 0; k < lists[i].size(); ++k) {
            CHECK(tokens[k].id == lists[i][k].id);
            CHECK(tokens[k].end == lists[i][k].end);
        }
    }
    cache.put(0x9FFF, std::vector<Symbol>{{1, 1}, {2, 2}, {3, 3}});
    CHECK(cache.find(0x9FFF, tokens.data()) == 0);
}

TEST_CASE("the steps of a search grow with the text and no faster") {
    Random random(8);
    for (int round = 0; round < 12; ++round) {
        const auto& alphabet = round % 2 == 0 ? kLetters : kMany;
        Vocabulary vocabulary = round % 3 == 0 ? chaotic(random, alphabet, true, 100) : trained(random, alphabet, true, 100);
        for (std::int32_t run = vocabulary.ids.at("a"); vocabulary.texts[std::size_t(run)].size() < 64;) {
            vocabulary.merge(run, run);
            run = vocabulary.ids.at(std::string(2 * vocabulary.texts[std::size_t(run)].size(), 'a'));
        }
        const MergeSearch search = vocabulary.search();
        for (const std::string& text : {std::string(100'000, 'a'), random_text(random, alphabet, 100'000)}) {
            SearchScratch scratch;
            check_equal(vocabulary, search, text, scratch);
            const std::size_t at_first = scratch.steps;
            CHECK(at_first <= text.size() * 2 * 65);  // no token is longer than 64 bytes
            check_equal(vocabulary, search, text + text, scratch);
            CHECK(scratch.steps - at_first <= 2 * at_first + 65 * 65);
        }
    }
}

TEST_CASE("threads that search at once find the same") {
    Random random(9);
    const Vocabulary vocabulary = trained(random, kMany, true, 150);
    const MergeSearch search = vocabulary.search();
    const std::string text = random_text(random, kMany, 5000);
    std::vector<SearchScratch> results(4);
    std::vector<std::thread> threads;
    for (SearchScratch& scratch : results) {
        threads.emplace_back([&search, &text, &scratch] { search.encode(text, 0, scratch); });
    }
    for (std::thread& thread : threads) thread.join();
    for (SearchScratch& scratch : results) {
        REQUIRE(scratch.symbols.size() == results[0].symbols.size());
        for (std::size_t i = 0; i < scratch.symbols.size(); ++i) CHECK(scratch.symbols[i].id == results[0].symbols[i].id);
    }
    check_equal(vocabulary, search, text, results[0]);
}

TEST_CASE("the cache of pieces finds what was put in, from any thread") {
    PieceCache cache;
    PieceCache::Tokens tokens;
    CHECK(cache.find("", tokens) == 0);
    CHECK(cache.find("word", tokens) == 0);
    // The tokens of a piece follow from its text, so that a wrong answer shows.
    const auto tokens_of = [](const std::string& piece) {
        std::vector<Symbol> out;
        for (std::uint32_t i = 0; i < piece.size(); i += 3) {
            out.push_back(
                {(piece[i] * 31 + piece.back()) % 4194304, std::min<std::uint32_t>(i + 3, std::uint32_t(piece.size()))});
        }
        return out;
    };
    std::atomic<std::size_t> found{0}, wrong{0};
    const auto work = [&](unsigned seed) {
        Random random(seed);
        PieceCache::Tokens known;
        for (int i = 0; i < 200'000; ++i) {
            std::string piece(1 + random() % (i % 100 == 0 ? 40 : 9), ' ');
            for (char& byte : piece) byte = static_cast<char>('a' + random() % 4);
            const auto expected = tokens_of(piece);
            const std::size_t count = cache.find(piece, known);
            if (count == 0) {
                cache.put(piece, expected);
                continue;
            }
            ++found;
            const bool equal = std::equal(expected.begin(), expected.end(), known.begin(), known.begin() + std::ptrdiff_t(count),
                                          [](const Symbol& a, const Symbol& b) { return a.id == b.id && a.end == b.end; });
            wrong += !equal;
        }
    };
    std::vector<std::thread> threads;
    for (unsigned seed = 0; seed < 3; ++seed) threads.emplace_back(work, seed);
    for (std::thread& thread : threads) thread.join();
    CHECK(found > 100'000);
    CHECK(wrong == 0);
}
