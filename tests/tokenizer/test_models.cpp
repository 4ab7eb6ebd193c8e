// The quick algorithms against slow twins: merging by heap and by scan against merging by the book, the trie against a map,
// GPT-2's scanner against its pattern, the vocabulary against a map. And that none of them is quadratic.
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/utf8.hpp"
#include "tokenizer/models/byte_alphabet.hpp"
#include "tokenizer/models/merge_table.hpp"
#include "tokenizer/models/trie.hpp"
#include "tokenizer/models/vocabulary.hpp"
#include "tokenizer/pre_tokenizers/gpt2_scanner.hpp"
#include "tokenizer/regex.hpp"

using namespace rag::core;

namespace {

using Merges = std::map<std::pair<std::int32_t, std::int32_t>, std::pair<std::uint32_t, std::int32_t>>;

// The definition: the pair of the lowest rank anywhere, the leftmost of them, joined, again and again.
std::vector<std::int32_t> merge_by_the_book(std::vector<std::int32_t> ids, const Merges& merges) {
    for (;;) {
        std::size_t best = ids.size();
        for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
            const auto found = merges.find({ids[i], ids[i + 1]});
            if (found == merges.end()) continue;
            if (best == ids.size() || found->second.first < merges.at({ids[best], ids[best + 1]}).first) best = i;
        }
        if (best == ids.size()) return ids;
        ids[best] = merges.at({ids[best], ids[best + 1]}).second;
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
}

std::vector<std::int32_t> merge_by_table(const std::vector<std::int32_t>& ids, const MergeTable& table) {
    MergeScratch scratch;
    for (std::uint32_t i = 0; i < ids.size(); ++i) scratch.symbols.push_back({ids[i], i + 1});
    table.merge(scratch);
    std::vector<std::int32_t> out;
    std::uint32_t end = 0;
    for (const Symbol& symbol : scratch.symbols) {
        out.push_back(symbol.id);
        REQUIRE(symbol.end > end);
        end = symbol.end;
    }
    REQUIRE(end == ids.size());
    return out;
}

const char* const kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

}  // namespace

TEST_CASE("merging by heap and by scan is merging by the book") {
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        Merges merges;
        MergeTable table;
        std::int32_t next = 4;
        for (std::uint32_t rank = 0; rank < 60; ++rank) {
            const auto left = static_cast<std::int32_t>(random() % static_cast<unsigned>(next));
            const auto right = static_cast<std::int32_t>(random() % static_cast<unsigned>(next));
            merges[{left, right}] = {rank, next};
            table.add(left, right, next++);
        }
        for (const std::size_t length : {0U, 1U, 2U, 5U, 39U, 40U, 41U, 42U, 150U}) {
            std::vector<std::int32_t> ids(length);
            for (auto& id : ids) id = static_cast<std::int32_t>(random() % 4);
            if (length == 0) continue;
            CHECK(merge_by_table(ids, table) == merge_by_the_book(ids, merges));
        }
    }
}

TEST_CASE("a word of a million symbols merges in time") {
    MergeTable table;
    table.add(0, 0, 1);
    for (std::int32_t id = 1; id < 12; ++id) table.add(id, id, id + 1);
    MergeScratch scratch;
    for (std::uint32_t i = 0; i < 1'000'000; ++i) scratch.symbols.push_back({0, i + 1});
    const auto start = std::chrono::steady_clock::now();
    table.merge(scratch);
    CHECK(scratch.symbols.size() < 1'000'000 / 4000);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));  // a quadratic one takes hours
}

TEST_CASE("the trie knows its keys and nothing else") {
    std::mt19937 random(11);
    for (const std::size_t count : {0U, 1U, 3U, 300U, 5000U}) {
        std::map<std::string, std::int32_t> expected;
        std::vector<std::pair<std::string, std::int32_t>> owned;
        for (std::size_t i = 0; i < count; ++i) {
            std::string key(random() % 9, ' ');
            for (char& byte : key) byte = static_cast<char>(random() % (i % 2 == 0 ? 3 : 256));
            owned.emplace_back(key, static_cast<std::int32_t>(i));
            expected.emplace(key, static_cast<std::int32_t>(i));
        }
        const Trie trie(std::vector<std::pair<std::string_view, std::int32_t>>(owned.begin(), owned.end()));
        for (const auto& [key, value] : expected) {
            const Trie::Node node = trie.walk(Trie::kRoot, key);
            REQUIRE(node != Trie::kNone);
            CHECK(trie.value(node) == value);
        }
        for (int i = 0; i < 2000; ++i) {
            std::string key(random() % 6, ' ');
            for (char& byte : key) byte = static_cast<char>(random() % 256);
            const Trie::Node node = trie.walk(Trie::kRoot, key);
            const bool found = node != Trie::kNone && trie.value(node) >= 0;
            CHECK(found == expected.contains(key));
        }
    }
}

TEST_CASE("the vocabulary finds what was added, the last id of a token and the last token of an id") {
    std::mt19937 random(3);
    Vocabulary vocabulary;
    std::map<std::string, std::int32_t> expected;
    for (std::int32_t id = 0; id < 20'000; ++id) {
        std::string token(random() % 20, ' ');
        for (char& byte : token) byte = static_cast<char>('a' + random() % 4);
        vocabulary.add(token, id);
        expected[token] = id;
    }
    CHECK(vocabulary.size() == expected.size());
    for (const auto& [token, id] : expected) {
        CHECK(vocabulary.find(token) == id);
        CHECK(vocabulary.token(id) == token);
    }
    CHECK(!vocabulary.find("never"));
    CHECK(!vocabulary.token(-1));
    CHECK(!vocabulary.token(20'000));
    CHECK_THROWS(vocabulary.add("big", std::int64_t{1} << 40));
    CHECK_THROWS(vocabulary.add("small", -1));
}

TEST_CASE("GPT-2's scanner cuts as its pattern does") {
    const Regex pattern(kGpt2);
    std::mt19937 random(5);
    const std::vector<std::string> pool = {
        " ",  "  ", "\t",  "\n", "\r\n", "a", "B",        "\xc3\xa9",     "\xe4\xb8\xad",     "1",        "\xc2\xb2", "'",
        "'s", "'l", "'ll", "'r", "!",    ".", "\xc2\xa0", "\xe2\x80\x83", "\xf0\x9f\x98\x80", "\xcc\x81", "'ve",      "'D",
        "_"};
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (std::size_t length = random() % 12; length > 0; --length) text += pool[random() % pool.size()];
        std::vector<Span> ours, theirs;
        const Span whole{0, static_cast<std::uint32_t>(text.size())};
        scan_gpt2(text, whole, ours);
        pattern.find_all(text, whole, theirs);
        INFO(text);
        CHECK(ours == theirs);
    }
}

TEST_CASE("every byte has its own character, and back") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
    std::string written;
    append_alphabet(written, all);
    CHECK(count_code_points(written) == 256);
    CHECK(alphabet_to_bytes(written) == all);
    CHECK(!alphabet_to_bytes("a b"));
    CHECK(!alphabet_to_bytes("\xe4\xb8\xad"));
}
