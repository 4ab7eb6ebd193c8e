// How much of a text an embedder knows, by vocabularies made for the test.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/utf8.hpp"
#include "engine/known_words.hpp"

using namespace rag::core;
using Json = nlohmann::json;

namespace {

std::string character(char32_t value) {
    std::string out;
    append_utf8(out, value);
    return out;
}

/// As BERT's: Latin letters, a few English words, and so many Han characters.
std::shared_ptr<const Tokenizer> bert_with(std::size_t han, bool unknown = true) {
    Json vocabulary;
    const auto add = [&](const std::string& token) {
        const std::size_t id = vocabulary.size();
        vocabulary[token] = id;
    };
    add("[UNK]");
    for (const char* word : {"the", "river", "floods", "fields", "##53", "."}) add(word);
    for (char letter = 'a'; letter <= 'z'; ++letter) {
        add(std::string(1, letter));
        add("##" + std::string(1, letter));
    }
    for (char32_t letter = 0x430; letter < 0x450; ++letter) {
        add(character(letter));
        add("##" + character(letter));
    }
    for (std::size_t i = 0; i < han; ++i) add(character(static_cast<char32_t>(0x4E00 + i)));
    const Json json{{"version", "1.0"},
                    {"added_tokens", Json::array()},
                    {"normalizer",
                     {{"type", "BertNormalizer"},
                      {"clean_text", true},
                      {"handle_chinese_chars", true},
                      {"strip_accents", nullptr},
                      {"lowercase", true}}},
                    {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                    {"post_processor", nullptr},
                    {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
                    {"model",
                     {{"type", "WordPiece"},
                      {"unk_token", "[UNK]"},
                      {"continuing_subword_prefix", "##"},
                      {"max_input_chars_per_word", 100},
                      {"vocab", vocabulary}}}};
    return Tokenizer::from_json(json.dump(), "test", unknown ? R"({"unk_token":"[UNK]"})" : "{}");
}

const std::string kHan = character(0x4E00) + character(0x4E01) + character(0x4E09);

}  // namespace

TEST_CASE("English is known, also with names, digits and signs") {
    const auto tokenizer = bert_with(200);
    const KnownWords known(*tokenizer);
    CHECK(known.share("The river floods the fields.") == Approx(1.0));
    CHECK(known.share("p53 rivers") == Approx(1.0));
    CHECK(known.share("the river \xe2\x82\xac") < 1.0F);  // one sign that it has no token for
    CHECK(known.share("") == 0.0F);
}

TEST_CASE("Han is known by the characters of the vocabulary, not by those of the query") {
    const auto few = bert_with(200);
    CHECK(KnownWords(*few).share(kHan) == 0.0F);  // each character has a token, and still nothing is known
    const auto many = bert_with(3000);
    CHECK(KnownWords(*many).share(kHan) == Approx(1.0));
    CHECK(KnownWords(*many).share(kHan + character(0x9FA0)) == Approx(0.75));  // one of four is unknown
    const auto some = bert_with(1750);
    CHECK(KnownWords(*some).share(kHan) == Approx(0.5));
    const float mixed = KnownWords(*few).share("river fields " + kHan);
    CHECK(mixed > 0.5F);
    CHECK(mixed < 1.0F);
}

TEST_CASE("what is spelled letter by letter is not known") {
    const auto tokenizer = bert_with(0);
    const KnownWords known(*tokenizer);
    CHECK(known.share(character(0x440) + character(0x435) + character(0x43A) + character(0x430)) == 0.0F);
    CHECK(known.share("qzx") == 0.0F);
}

TEST_CASE("a vocabulary without an unknown token tells nothing") {
    const auto tokenizer = bert_with(200, false);
    CHECK(KnownWords(*tokenizer).share(kHan) == 1.0F);
}
