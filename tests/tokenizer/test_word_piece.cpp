// WordPiece three times: by the table's lengths, by the trie (which a token of more than 64 bytes calls for), and by the
// definition over a map. And that a hostile vocabulary is not quadratic.
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tokenizer/models/word_piece.hpp"

using namespace rag::core;

namespace {

using Tokens = std::map<std::string, std::int32_t>;

WordPiece model_of(const Tokens& tokens, const std::string& prefix) {
    Vocabulary vocabulary;
    for (const auto& [token, id] : tokens) vocabulary.add(token, id);
    return {std::move(vocabulary), {"[UNK]", prefix, 100}};
}

std::vector<ModelToken> by_definition(const Tokens& tokens, const std::string& prefix, const std::string& word) {
    std::vector<ModelToken> out;
    for (std::size_t at = 0; at < word.size();) {
        std::size_t length = word.size() - at;
        const auto find = [&] { return tokens.find((at == 0 ? "" : prefix) + word.substr(at, length)); };
        while (length > 0 && find() == tokens.end()) --length;
        if (length == 0) return {{tokens.at("[UNK]"), {0, static_cast<std::uint32_t>(word.size())}}};
        out.push_back({find()->second, {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + length)}});
        at += length;
    }
    return out;
}

std::vector<ModelToken> tokens_of(const WordPiece& model, const std::string& word) {
    std::vector<ModelToken> out;
    const Span whole{0, static_cast<std::uint32_t>(word.size())};
    model.tokenize(word, std::span(&whole, 1), out);
    return out;
}

bool same(const std::vector<ModelToken>& a, const std::vector<ModelToken>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const ModelToken& x, const ModelToken& y) { return x.id == y.id && x.span == y.span; });
}

}  // namespace

TEST_CASE("WordPiece by lengths, by trie and by its definition are one") {
    std::mt19937 random(17);
    const std::vector<std::string> characters = {
        "a", "b", "c", "#", "\xc3\xa9", "\xe4\xb8\xad", "\xe6\x96\x87", "\xf0\x9f\x98\x80"};
    const auto text = [&](std::size_t most) {
        std::string out;
        for (std::size_t length = random() % (most + 1); length > 0; --length) out += characters[random() % characters.size()];
        return out;
    };
    std::size_t covered = 0, unknown = 0;
    for (int round = 0; round < 200; ++round) {
        const std::string prefix = std::vector<std::string>{"##", "", "#", "\xe2\x96\x81"}[random() % 4];
        Tokens tokens = {{"[UNK]", 0}};
        for (std::size_t count = random() % 80; count > 0; --count) {
            tokens.emplace((random() % 2 == 0 ? prefix : "") + text(count % 16 == 0 ? 16 : 4),
                           static_cast<std::int32_t>(tokens.size()));
        }
        const WordPiece quick = model_of(tokens, prefix);
        Tokens with_long = tokens;
        with_long.emplace(std::string(65, 'z'), static_cast<std::int32_t>(tokens.size()));
        const WordPiece slow = model_of(with_long, prefix);
        for (int i = 0; i < 100; ++i) {
            const std::string word = "a" + text(12);
            INFO(word << " with the prefix " << prefix);
            const auto expected = by_definition(tokens, prefix, word);
            REQUIRE(same(tokens_of(quick, word), expected));
            REQUIRE(same(tokens_of(slow, word), expected));
            ++(expected.size() == 1 && expected[0].id == 0 ? unknown : covered);
        }
    }
    CHECK(covered > 1000);
    CHECK(unknown > 1000);
}

TEST_CASE("words of a million characters against tokens of many lengths take no time to speak of") {
    Tokens tokens = {{"[UNK]", 0}};
    for (const std::size_t longest : {64U, 2000U}) {
        for (std::size_t length = 1; length <= longest; ++length) {
            for (const char* prefix : {"", "##"}) {
                std::string token = prefix + std::string(length, 'a');
                token.back() = length == 1 ? 'a' : 'b';
                if (token.size() <= longest) tokens.emplace(token, static_cast<std::int32_t>(tokens.size()));
            }
        }
        Vocabulary vocabulary;
        for (const auto& [token, id] : tokens) vocabulary.add(token, id);
        const WordPiece model(std::move(vocabulary), {"[UNK]", "##", 2'000'000});
        const auto start = std::chrono::steady_clock::now();
        CHECK(tokens_of(model, std::string(longest == 64 ? 1'000'000 : 100'000, 'a')).size() > 1000);
        CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));  // a quadratic one takes hours
    }
}
