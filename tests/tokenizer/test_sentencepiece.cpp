// SentencePiece models in the small: the reader of the file against files that lie, joining by score against joining by the book.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "formats/sentencepiece_file.hpp"
#include "require_error.hpp"
#include "test_files.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/models/bpe.hpp"
#include "tokenizer/models/sentence_piece_bpe.hpp"
#include "tokenizer/tokenizer.hpp"

using namespace rag::core;
using rag::test::require_error;

namespace {

const std::string kMeta = "\xe2\x96\x81";

// ---- a protocol buffer, written -----------------------------------------------------------------------------------------------

std::string varint(std::uint64_t value) {
    std::string out;
    for (; value > 127; value >>= 7) out += static_cast<char>(value | 128);
    return out + static_cast<char>(value);
}
std::string number(unsigned field, std::uint64_t value) {
    return varint(field << 3U) + varint(value);
}
std::string bytes(unsigned field, const std::string& value) {
    return varint(field << 3U | 2U) + varint(value.size()) + value;
}
std::string piece(const std::string& text, float score, unsigned type = 1) {
    std::string bits(4, '\0');
    std::memcpy(bits.data(), &score, 4);
    return bytes(1, bytes(1, text) + varint(2U << 3U | 5U) + bits + number(3, type));
}

Tokenizer load(const std::string& file) {
    return Tokenizer(load_sentencepiece(std::as_bytes(std::span(file)), "test.model"));
}

const std::string kPieces = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece(kMeta, -9) + piece("a", -7) + piece("b", -8) +
                            piece("ab", -1) + piece(kMeta + "ab", -2) + piece("<sep>", 0, 4);
const std::string kBpe = kPieces + bytes(2, number(3, 2));

// ---- joining by the book ------------------------------------------------------------------------------------------------------

struct Book {
    std::map<std::string, float> pieces;

    // Of all neighbours that join into a piece those of the highest score, the leftmost, again and again.
    std::vector<std::string> join(const std::string& text) const {
        std::vector<std::string> parts;
        for (std::size_t at = 0; at < text.size();) {
            const auto length = decode_utf8(text, at).length;
            parts.push_back(text.substr(at, length));
            at += length;
        }
        for (;;) {
            std::size_t best = parts.size();
            float highest = 0;
            for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
                const auto found = pieces.find(parts[i] + parts[i + 1]);
                if (found == pieces.end() || (best < parts.size() && found->second <= highest)) continue;
                best = i;
                highest = found->second;
            }
            if (best == parts.size()) return parts;
            parts[best] += parts[best + 1];
            parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
        }
    }
};

}  // namespace

TEST_CASE("joining by heap and word by word is joining by the book") {
    std::mt19937 random(31);
    const std::vector<std::string> alphabet = {"a", "b", "c", kMeta};
    for (int round = 0; round < 200; ++round) {
        Book book;
        Vocabulary vocabulary;
        vocabulary.add("<unk>", 0);
        std::vector<ScoredPiece> pieces;
        for (const std::string& letter : alphabet) book.pieces[letter] = -100;
        for (int i = 0; i < 25; ++i) {
            // In every second round no piece goes over the beginning of a word; scores repeat.
            std::string text = round % 2 == 0 && random() % 2 == 0 ? kMeta : "";
            for (std::size_t length = 1 + random() % 4; length > 0; --length)
                text += alphabet[random() % (round % 2 == 0 ? 3 : 4)];
            book.pieces[text] = -static_cast<float>(random() % 12);
        }
        for (const auto& [text, score] : book.pieces) {
            const auto id = static_cast<std::int32_t>(vocabulary.size());
            vocabulary.add(text, id);
            pieces.push_back({text, id, score});
        }
        const SentencePieceBpe model(std::move(vocabulary), pieces, 0, false);
        for (int i = 0; i < 10; ++i) {
            std::string text;
            for (std::size_t length = 1 + random() % 30; length > 0; --length) text += alphabet[random() % 4];
            std::vector<ModelToken> tokens;
            const Span whole{0, static_cast<std::uint32_t>(text.size())};
            model.tokenize(text, {&whole, 1}, tokens);
            std::vector<std::string> ours;
            for (const ModelToken& token : tokens) {
                ours.push_back(text.substr(token.span.start, token.span.end - token.span.start));
                CHECK(model.id_to_token(token.id) == ours.back());
            }
            INFO(text);
            CHECK(ours == book.join(text));
        }
    }
}

TEST_CASE("a SentencePiece model does what SentencePiece does to white space, symbols and unknown characters") {
    const Tokenizer bpe = load(kBpe);
    CHECK(bpe.encode("ab ab").ids == std::vector<std::int32_t>{6, 6});
    CHECK(bpe.encode("  ab   ab  ").ids == std::vector<std::int32_t>{6, 6});
    CHECK(bpe.encode("   ").ids.empty());
    CHECK(bpe.encode("a<sep>b<s>").ids == std::vector<std::int32_t>{2, 3, 7, 4, 0});  // control symbols are text
    CHECK(bpe.encode("xyzab").ids == std::vector<std::int32_t>{2, 0, 5});
    CHECK(bpe.decode({{1, 6, 6, 0}}) == "ab ab \xe2\x81\x87 ");
    CHECK(bpe.bos_id() == 1);
    const auto offsets = bpe.encode(" ab  ab ").offsets;
    CHECK(offsets[0].second == 3);
    CHECK(offsets[1].second == 7);
    const Tokenizer plain = load(kBpe + bytes(3, number(3, 0) + number(4, 0)));
    CHECK(plain.encode(" ab  ab").ids == std::vector<std::int32_t>{6, 2, 6});
    CHECK(load(kPieces).encode("ab ab").ids == std::vector<std::int32_t>{6, 6});  // unigram, unless the file says otherwise
}

TEST_CASE("the joins that scores bring about, as a list of merges, give the same tokens") {
    std::mt19937 random(32);
    const std::vector<std::string> alphabet = {"a", "b", "c", kMeta};
    std::size_t joined = 0;
    for (int round = 0; round < 200; ++round) {
        std::set<std::string> texts(alphabet.begin(), alphabet.end());
        for (int i = 0; i < 25; ++i) {
            std::string text;
            for (std::size_t length = 2 + random() % 4; length > 0; --length) text += alphabet[random() % 4];
            texts.insert(text);
        }
        std::vector<float> scores;  // each but once
        for (std::size_t i = 0; i < texts.size(); ++i) scores.push_back(-static_cast<float>(i));
        std::shuffle(scores.begin(), scores.end(), random);
        Vocabulary vocabulary, same;
        vocabulary.add("<unk>", 0);
        same.add("<unk>", 0);
        std::vector<ScoredPiece> pieces;
        for (const std::string& text : texts) {
            const auto id = static_cast<std::int32_t>(vocabulary.size());
            vocabulary.add(text, id);
            same.add(text, id);
            pieces.push_back({text, id, scores[static_cast<std::size_t>(id) - 1]});
        }
        const SentencePieceBpe model(std::move(vocabulary), pieces, 0, false);
        MergeList merges;
        for (const Merge& merge : model.used_merges()) {
            merges.emplace_back(*model.id_to_token(merge.left), *model.id_to_token(merge.right));
        }
        const Bpe listed(std::move(same), merges, {});
        for (int i = 0; i < 10; ++i) {
            std::string text;
            for (std::size_t length = 1 + random() % 30; length > 0; --length) text += alphabet[random() % 4];
            const Span whole{0, static_cast<std::uint32_t>(text.size())};
            std::vector<ModelToken> tokens, by_list;
            model.tokenize(text, {&whole, 1}, tokens);
            listed.tokenize(text, {&whole, 1}, by_list);
            INFO(text);
            CHECK(std::equal(tokens.begin(), tokens.end(), by_list.begin(), by_list.end(),
                             [](const auto& a, const auto& b) { return a.id == b.id && a.span == b.span; }));
            joined += tokens.size() < count_code_points(text) ? 1 : 0;
        }
    }
    CHECK(joined > 1000);  // or nothing was compared
}

TEST_CASE("a SentencePiece model is saved where tokenizer.json can say what it does, else refused with the reason") {
    std::string byte_pieces;
    for (unsigned byte = 0; byte < 256; ++byte) byte_pieces += piece(fmt::format("<0x{:02X}>", byte), 0, 6);
    const std::string letters = piece(kMeta, -9) + piece("a", -7) + piece("b", -8) + piece("ab", -1);
    const std::string head = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + byte_pieces + letters;
    const std::string plain = bytes(3, number(3, 1) + number(4, 0));  // a space before, nothing removed
    const std::string fallback = bytes(2, number(3, 2) + number(35, 1));
    const Tokenizer original = load(head + fallback + plain);
    const Tokenizer saved(load_json(original.to_json(), "saved"));
    for (const char* text : {"ab ab", " ab", "", "  ", "<s>ab<unk>",
                             "\xe4\xb8\xad"
                             "ab",
                             "\xe2\x96\x81"
                             "a b"}) {
        INFO(text);
        const Encoding expected = original.encode(text), found = saved.encode(text);
        CHECK(found.ids == expected.ids);
        CHECK(found.offsets == expected.offsets);
        CHECK(saved.decode(expected.ids, false) == original.decode(expected.ids, false));
    }
    const std::vector<std::int32_t> with_controls = {1, 259, 261, 0, 258};
    CHECK(saved.decode(with_controls, false) == original.decode(with_controls, false));

    const auto refused = [](const std::string& file, const char* reason) {
        INFO(reason);
        const Tokenizer tokenizer = load(file);
        require_error(Code::kUnsupported, {"test.model", reason}, [&] { tokenizer.to_json(); });
    };
    refused(head + bytes(2, number(3, 1) + number(35, 1)) + plain, "single precision");
    refused(head + fallback, "white space is made one");
    refused(head + fallback + bytes(3, number(3, 1) + number(4, 0) + number(5, 0)), "spaces stay spaces");
    refused(kPieces + bytes(2, number(3, 2)) + plain, "unknown characters");
    refused(head + piece("<sep>", 0, 4) + fallback + plain, "\"<sep>\" is defined by the user");
    refused(head + piece("aa", -5, 5) + fallback + plain, "\"aa\" is unused");
    refused(head + piece("x", 0, 3) + fallback + plain, "\"x\" is not found in text");
    refused(head + piece("a<s>", -3) + fallback + plain, "\"a<s>\" contains it");
    refused(head + piece("ba", -1) + fallback + plain, "have one score");
    refused(head + piece("ax", -3) + fallback + plain, "not both pieces");
}

TEST_CASE("a folder says which special tokens go round a SentencePiece model's text") {
    const rag::test::TemporaryFolder folder;
    rag::test::write_file(folder / "tokenizer.model", kBpe);
    CHECK(Tokenizer::from_pretrained(folder.path())->encode("ab<s>").ids.front() == 6);
    rag::test::write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer"})");
    CHECK(Tokenizer::from_pretrained(folder.path())->encode("ab<s>").ids == std::vector<std::int32_t>{1, 6, 1});
    rag::test::write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false})");
    CHECK(Tokenizer::from_pretrained(folder.path())->encode("ab").ids == std::vector<std::int32_t>{6});
    rag::test::write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "XLMRobertaTokenizer"})");
    require_error(Code::kUnsupported, {"XLMRobertaTokenizer"}, [&] { Tokenizer::from_pretrained(folder.path()); });
}

TEST_CASE("SentencePiece models that lie or ask for what is not supported are refused by name") {
    struct Case {
        std::string file;
        Code code;
        const char* named;
    };
    const std::string long_piece(8000, 'a');
    const std::vector<Case> cases = {
        {"", Code::kCorrupt, "without pieces"},
        {kBpe + varint(99), Code::kCorrupt, "wire type 3"},
        {kBpe + number(0, 1), Code::kCorrupt, "number 0"},
        {kBpe + std::string(11, '\xff'), Code::kCorrupt, "10 bytes"},
        {kBpe + varint(1U << 3U | 2U) + varint(1000) + "abc", Code::kCorrupt, "1000 bytes"},
        {kBpe + varint(1U << 3U | 2U) + varint(0xFFFFFFFFFFFFFFFFU), Code::kCorrupt, "bytes"},
        {kBpe + number(1, 5), Code::kCorrupt, "wire type"},
        {kBpe + piece("", 0), Code::kCorrupt, "piece 8"},
        {kBpe + piece("\xff", 0), Code::kInvalidArgument, "piece 8"},
        {kBpe + piece(std::string("a\0b", 3), 0), Code::kCorrupt, "NUL"},
        {kBpe + piece(long_piece, 0), Code::kCorrupt, "8000"},
        {kBpe + piece("nan", std::numeric_limits<float>::quiet_NaN()), Code::kCorrupt, "nan"},
        {kBpe + piece("c", 0, 7), Code::kCorrupt, "7"},
        {kBpe + piece("ab", 0), Code::kCorrupt, "\"ab\""},
        {kBpe + piece("<other>", 0, 2), Code::kCorrupt, "unknown"},
        {kBpe + piece("<0x00>", 0, 6), Code::kCorrupt, "byte_fallback"},
        {piece("a", 0), Code::kCorrupt, "unknown"},
        {kBpe + bytes(2, number(35, 1)), Code::kCorrupt, "byte_fallback"},
        {kPieces + bytes(2, number(3, 3)), Code::kUnsupported, "word"},
        {kPieces + bytes(2, number(3, 4)), Code::kUnsupported, "char"},
        {kPieces + bytes(2, number(3, 9)), Code::kCorrupt, "9"},
        {kBpe + bytes(2, number(24, 1)), Code::kUnsupported, "treat_whitespace_as_suffix"},
        {kBpe + bytes(5, bytes(2, "map")), Code::kUnsupported, "denormalizer"},
        {kBpe + bytes(3, bytes(2, "map")), Code::kCorrupt, "precompiled_charsmap"},
    };
    for (const Case& one : cases) {
        INFO(one.named);
        require_error(one.code, {"test.model", one.named}, [&] { load(one.file); });
    }
}

TEST_CASE("every truncation of a SentencePiece model is refused or whole") {
    for (std::size_t size = 0; size < kBpe.size(); ++size) {
        const std::string part = kBpe.substr(0, size);
        try {
            load(part);
        } catch (const Error& error) {
            CHECK((error.code() == Code::kCorrupt || error.code() == Code::kInvalidArgument));
        }
    }
}

TEST_CASE("a SentencePiece model takes a text of a megabyte in time") {
    std::string file = piece("<unk>", 0, 2);
    for (std::size_t size = 1; size <= 64; size *= 2) file += piece(std::string(size, 'a'), -static_cast<float>(size));
    const Tokenizer tokenizer = load(file + piece("a" + kMeta, -100) + bytes(2, number(3, 2)));  // words are not apart
    const auto start = std::chrono::steady_clock::now();
    CHECK(tokenizer.encode(std::string(1'000'000, 'a')).size() < 16'000);
    CHECK(tokenizer.encode(std::string(1'000'000, 'x')).size() == 1);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));  // a quadratic one takes hours
}
