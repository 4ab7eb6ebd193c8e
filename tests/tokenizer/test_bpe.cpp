// Bpe searches where it can, stretch by stretch in long pieces; here against itself merging one by one, which an id with two
// texts makes it do. What differs between the kinds of vocabularies is what becomes of symbols that are no tokens.
#include <fmt/format.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "tokenizer/models/bpe.hpp"
#include "tokenizer/models/byte_alphabet.hpp"

using namespace rag::core;

namespace {

using Random = std::mt19937;

struct Kind {
    bool bytes = false, byte_fallback = false, unk = false, fuse_unk = false, ignore_merges = false;
};

// Symbols, what random merges make of them, and what the kind of vocabulary asks for.
struct Material {
    std::vector<std::string> tokens;
    std::vector<std::pair<std::string, std::string>> merges;

    Material(Random& random, const std::vector<std::string>& symbols, const Kind& kind) : tokens(symbols) {
        for (int i = 0; i < 40; ++i) {
            const std::string left = tokens[random() % tokens.size()];
            const std::string right = tokens[random() % tokens.size()];
            if (left.size() + right.size() > 16) continue;
            merges.emplace_back(left, right);
            if (std::find(tokens.begin(), tokens.end(), left + right) == tokens.end()) tokens.push_back(left + right);
        }
        if (kind.ignore_merges) tokens.push_back(symbols[0] + symbols[1] + symbols[0] + symbols[2]);
        if (kind.unk) tokens.emplace_back("<unk>");
        for (int byte = 0; kind.byte_fallback && byte < 256; ++byte) tokens.push_back(fmt::format("<0x{:02X}>", byte));
    }
    Bpe model(const Kind& kind, bool searchable) const {
        Vocabulary vocabulary;
        for (std::size_t id = 0; id < tokens.size(); ++id) vocabulary.add(tokens[id], static_cast<std::int64_t>(id));
        if (!searchable) vocabulary.add("a second text", 0);
        BpeOptions options;
        if (kind.unk) options.unk_token = "<unk>";
        options.fuse_unk = kind.fuse_unk;
        options.byte_fallback = kind.byte_fallback;
        options.ignore_merges = kind.ignore_merges;
        options.bytes = kind.bytes;
        return {std::move(vocabulary), MergeList(merges.begin(), merges.end()), options};
    }
};

std::string tokens_of(const Bpe& model, const std::string& text, std::vector<Span> pieces) {
    std::vector<ModelToken> tokens;
    model.tokenize(text, pieces, tokens);
    std::string out;
    for (const ModelToken& token : tokens) out += fmt::format("{}:{}-{} ", token.id, token.span.start, token.span.end);
    return out;
}

const std::vector<std::string> kCharacters = {"a", "e", "t", "\xe2\x96\x81", "\xe4\xb8\xad", "\xe6\x96\x87", "\xc3\xa9"};
const std::vector<std::string> kStrange = {"?", "\xe4\xba\xba", "\xf0\x9f\x98\x80"};  // in no vocabulary

std::string random_text(Random& random, std::size_t size) {
    std::string out;
    for (std::size_t i = 0; i < size; ++i) {
        const auto& from = random() % 12 == 0 ? kStrange : kCharacters;
        out += from[random() % from.size()];
    }
    return out;
}

void compare(const Kind& kind, const std::vector<std::string>& symbols) {
    Random random(3);
    for (int round = 0; round < 60; ++round) {
        const Material material(random, symbols, kind);
        const Bpe quick = material.model(kind, true);
        const Bpe slow = material.model(kind, false);
        for (int i = 0; i < 40; ++i) {
            const std::string text = random_text(random, 1 + random() % 60);
            const std::string before = "+";  // a piece that does not begin where the text does
            const auto end = static_cast<std::uint32_t>(text.size() + 1);
            const std::vector<Span> pieces = {{1, end}, {1, end}};  // twice: the second time it may be known
            INFO(text);
            CHECK(tokens_of(quick, before + text, pieces) == tokens_of(slow, before + text, pieces));
        }
    }
}

}  // namespace

TEST_CASE("searching in a vocabulary of characters is merging, whatever becomes of unknown ones") {
    compare({.byte_fallback = true, .unk = true, .fuse_unk = true}, kCharacters);
    compare({.byte_fallback = true}, kCharacters);
    compare({.unk = true}, kCharacters);
    compare({.unk = true, .fuse_unk = true}, kCharacters);
    compare({}, kCharacters);  // left out, and their neighbours join
    compare({.unk = true, .ignore_merges = true}, kCharacters);
}

TEST_CASE("searching in a vocabulary of bytes is merging, also where some bytes are no tokens") {
    std::vector<std::string> bytes;
    for (const std::string& character : kCharacters) {
        for (const char byte : character) {
            std::string symbol;
            append_alphabet(symbol, {&byte, 1});
            if (std::find(bytes.begin(), bytes.end(), symbol) == bytes.end()) bytes.push_back(symbol);
        }
    }
    compare({.bytes = true, .unk = true}, bytes);
    compare({.bytes = true, .unk = true, .fuse_unk = true}, bytes);
    compare({.bytes = true}, bytes);
    compare({.bytes = true, .ignore_merges = true}, bytes);
    for (unsigned byte = 0; byte < 256; ++byte) {
        const char value = static_cast<char>(byte);
        std::string symbol;
        append_alphabet(symbol, {&value, 1});
        if (std::find(bytes.begin(), bytes.end(), symbol) == bytes.end()) bytes.push_back(symbol);
    }
    compare({.bytes = true, .ignore_merges = true}, bytes);
}
