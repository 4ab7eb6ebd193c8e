// Stages by themselves: fast paths against their definitions, the way back through rewritten text, stages of files that lie.
// What each stage gives is compared with Hugging Face in test_fixtures.cpp and test_parity.cpp.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/normalized_text.hpp"
#include "tokenizer/normalizers/plan.hpp"
#include "tokenizer/normalizers/precompiled.hpp"
#include "tokenizer/normalizers/prepend.hpp"
#include "tokenizer/normalizers/replace.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/code_points.hpp"
#include "tokenizer/unicode/graphemes.hpp"

namespace {

using namespace rag::core;
using Json = nlohmann::json;

std::string little_endian(std::uint32_t value) {
    std::string out;
    for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
}

// A map with single-byte keys: unit 256 + b is that of byte b, its leaf is unit 768 + b.
std::string byte_map(const std::vector<std::pair<unsigned, std::string>>& entries) {
    std::vector<std::uint32_t> units(1024, 0);
    units[0] = 256U << 10;
    std::string strings;
    for (const auto& [byte, text] : entries) {
        units[256 + byte] = (512U << 10) | (1U << 8) | byte;
        units[768 + byte] = (1U << 31) | static_cast<std::uint32_t>(strings.size());
        strings += text + '\0';
    }
    std::string out = little_endian(4096);
    for (const std::uint32_t unit : units) out += little_endian(unit);
    return out + strings;
}

std::vector<Alignment> places_of(const NormalizedText& text) {
    std::vector<Alignment> out;
    for (std::uint32_t i = 0; i < text.text().size(); ++i) out.push_back(text.origin({i, i + 1}));
    return out;
}

std::string refusal(const Json& json, Code& code) {
    try {
        Tokenizer::from_json(json.dump(), "hostile.json");
    } catch (const Error& error) {
        code = error.code();
        return error.what();
    }
    code = Code::kOk;
    return {};
}

Json with_stage(const char* kind, const Json& stage) {
    Json json = {{"version", "1.0"}, {"model", {{"type", "WordLevel"}, {"vocab", {{"a", 0}}}, {"unk_token", "a"}}}};
    json[kind] = stage;
    return json;
}

}  // namespace

TEST_CASE("the quick way of Precompiled is its definition") {
    // Spaces for tabs, two characters for X, nothing for R and for what begins with C3, as many for e as there are accents.
    // One map leaves Chinese alone, the other does not.
    const Precompiled plain(
        CharsMap(byte_map({{'\t', " "}, {'X', "yz"}, {'R', ""}, {0xC3, ""}, {0xE1, "q\xcc\x81"}, {'\r', ""}})));
    const Precompiled chinese(CharsMap(byte_map({{'\t', " "}, {'X', "yz"}, {0xC3, ""}, {0xE5, "z"}, {'\r', ""}})));
    const std::vector<std::string> pool = {"a",
                                           "b",
                                           " ",
                                           "\t",
                                           "X",
                                           "R",
                                           "\r",
                                           "\n",
                                           "\r\n",
                                           "\xc3\xa9",
                                           "\xcc\x81",
                                           "\xe1\x84\x80",
                                           "\xe1\x85\xa0",
                                           "\xe2\x80\x8d",
                                           "\xf0\x9f\x98\x80",
                                           "\xe4\xb8\xad",
                                           "\xe6\x96\x87",
                                           "\xe5\xad\x97\xe8\xaf\xad"};
    std::mt19937 random(4);
    const NormalizerPlan nothing(nullptr);
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        for (std::size_t length = random() % 10; length > 0; --length) text += pool[random() % pool.size()];
        NormalizedText quick, slow;
        quick.assign(text, 0, static_cast<std::uint32_t>(text.size()), nothing, true);
        slow.assign(text, 0, static_cast<std::uint32_t>(text.size()), nothing, true);
        const Precompiled& precompiled = round % 2 == 0 ? plain : chinese;
        precompiled.normalize(quick);
        precompiled.normalize_by_definition(slow);
        INFO(text);
        REQUIRE(quick.text() == slow.text());
        REQUIRE(places_of(quick) == places_of(slow));
    }
}

TEST_CASE("a text knows where it came from through several rewritings") {
    const std::string original = "xx ab \xe4\xb8\xad";
    const Prepend prepend("__");
    const Replace replace(Regex::literal(" "), "<>");
    NormalizedText text;
    text.assign(original, 3, 9, NormalizerPlan(nullptr), true);
    CHECK(text.origin({4, 5}) == Alignment{6, 9});  // half a character is widened
    prepend.normalize(text);
    replace.normalize(text);
    CHECK(text.text() == "__ab<>\xe4\xb8\xad");
    CHECK(places_of(text) == std::vector<Alignment>{{3, 4}, {3, 4}, {3, 4}, {4, 5}, {5, 6}, {5, 6}, {6, 9}, {6, 9}, {6, 9}});
    CHECK(text.origin({0, 9}) == Alignment{3, 9});
    CHECK(text.origin({0, 1}) == Alignment{3, 4});  // backwards
}

TEST_CASE("grapheme clusters end where Unicode says") {
    using unicode::grapheme_end;
    CHECK(grapheme_end("\r\na", 0) == 2);
    CHECK(grapheme_end("\n\xcc\x81", 0) == 1);
    CHECK(grapheme_end("e\xcc\x81\xcc\x81x", 0) == 5);
    CHECK(grapheme_end("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8\xe1\x84\x80", 0) == 9);  // Hangul L V T, L
    CHECK(grapheme_end("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb!", 0) == 11);    // joined emoji
    CHECK(grapheme_end("\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa\xf0\x9f\x87\xa9", 0) == 8);  // one flag and a half
    CHECK(grapheme_end("\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\xb7", 0) == 9);              // a conjunct
    CHECK(grapheme_end("\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8c\xe0\xa4\xb7", 0) == 9);  // ended by ZWNJ
    CHECK(grapheme_end("\xd8\x80"
                       "a",
                       0) == 3);  // a prefix
}

TEST_CASE("a common Han character before another is a grapheme cluster") {
    for (char32_t value = 0x4E00; value < 0xA000; ++value) {
        std::string text;
        append_utf8(text, value);
        CHECK(is_common_han(text, 0) == (value < 0x9FC0));
        if (!is_common_han(text, 0)) continue;
        if (unicode::grapheme_end("\xe6\x96\x87" + text, 0) != 3) FAIL(std::uint32_t(value));
        if (unicode::grapheme_end(text + "\xe6\x96\x87", 0) != 3) FAIL(std::uint32_t(value));
    }
}

TEST_CASE("base64 is strict") {
    CHECK(decode_base64("") == std::string());
    CHECK(decode_base64("AAEC") == std::string("\0\1\2", 3));
    CHECK(decode_base64("/+8=") == std::string("\xff\xef"));
    CHECK(decode_base64("QQ==") == std::string("A"));
    for (const char* wrong : {"A", "AAA", "AA=A", "A===", "AA\n=", "QR==", "QUF=", "=AAA", "\xc3\xa9==", "AAECA"}) {
        INFO(wrong);
        CHECK(!decode_base64(wrong));
    }
}

TEST_CASE("stages with wrong fields are refused by name") {
    struct Case {
        const char* kind;
        const char* stage;
        Code code;
        const char* named;
    };
    const std::vector<Case> cases = {
        {"normalizer", R"({"type": "Prepend"})", Code::kCorrupt, "prepend"},
        {"normalizer", R"({"type": "Prepend", "prepend": 1})", Code::kCorrupt, "prepend"},
        {"normalizer", R"({"type": "Strip", "strip_left": "yes"})", Code::kCorrupt, "strip_left"},
        {"normalizer", R"({"type": "Replace", "pattern": "a", "content": ""})", Code::kCorrupt, "pattern"},
        {"normalizer", R"({"type": "Replace", "pattern": {"String": "a"}})", Code::kCorrupt, "content"},
        {"normalizer", R"({"type": "Replace", "pattern": {"String": "a", "Regex": "a"}, "content": ""})", Code::kCorrupt,
         "pattern"},
        {"normalizer", R"({"type": "Replace", "pattern": {"Regex": "\\X"}, "content": ""})", Code::kUnsupported, "\\X"},
        {"normalizer", R"({"type": "Precompiled"})", Code::kCorrupt, "precompiled_charsmap"},
        {"normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "A"})", Code::kCorrupt, "base64"},
        {"normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AA=="})", Code::kCorrupt, "1 bytes"},
        {"normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "/////w=="})", Code::kCorrupt, "units"},
        {"normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8="})", Code::kCorrupt, "points at unit"},
        {"normalizer", R"({"type": "Sequence"})", Code::kCorrupt, "normalizers"},
        {"normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "Rot13"}]})", Code::kUnsupported,
         "Rot13"},
        {"pre_tokenizer", R"({"type": "Metaspace"})", Code::kCorrupt, "replacement"},
        {"pre_tokenizer", R"({"type": "Metaspace", "replacement": "ab"})", Code::kCorrupt, "one character"},
        {"pre_tokenizer", R"({"type": "Metaspace", "replacement": ""})", Code::kCorrupt, "one character"},
        {"pre_tokenizer", R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})", Code::kCorrupt, "last"},
        {"pre_tokenizer", R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false})", Code::kCorrupt,
         "add_prefix_space"},
        {"pre_tokenizer", R"({"type": "Punctuation", "behavior": "isolated"})", Code::kCorrupt, "isolated"},
        {"pre_tokenizer", R"({"type": "Split", "pattern": {"String": "a"}})", Code::kCorrupt, "behavior"},
        {"pre_tokenizer", R"({"type": "CharDelimiterSplit"})", Code::kCorrupt, "delimiter"},
        {"pre_tokenizer", R"({"type": "FixedLength", "length": 0})", Code::kCorrupt, "length"},
        {"pre_tokenizer", R"({"type": "FixedLength", "length": -1})", Code::kCorrupt, "-1"},
        {"decoder", R"({"type": "Strip", "content": "ab"})", Code::kCorrupt, "one character"},
        {"decoder", R"({"type": "Strip", "content": "a", "start": -1})", Code::kCorrupt, "-1"},
        {"decoder", R"({"type": "Replace", "pattern": {"String": "a"}})", Code::kCorrupt, "content"},
        {"decoder", R"({"type": "CTC", "cleanup": 1})", Code::kCorrupt, "cleanup"},
        {"decoder", R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Ring"}]})", Code::kUnsupported, "Ring"},
    };
    for (const Case& one : cases) {
        INFO(one.stage);
        Code code = Code::kOk;
        const std::string message = refusal(with_stage(one.kind, Json::parse(one.stage)), code);
        INFO(message);
        CHECK(code == one.code);
        CHECK(message.find(one.named) != std::string::npos);
        CHECK(message.find("hostile.json") != std::string::npos);
    }
}

TEST_CASE("sequences in sequences end") {
    const std::vector<std::pair<const char*, const char*>> kinds = {{"normalizer", "normalizers"},
                                                                    {"pre_tokenizer", "pretokenizers"},
                                                                    {"decoder", "decoders"},
                                                                    {"post_processor", "processors"}};
    for (const auto& [kind, list] : kinds) {
        Json stage = {{"type", "Sequence"}, {list, Json::array()}};
        for (int i = 0; i < 40; ++i) stage = {{"type", "Sequence"}, {list, Json::array({stage})}};
        Code code = Code::kOk;
        const std::string message = refusal(with_stage(kind, stage), code);
        INFO(kind << ": " << message);
        CHECK(code == Code::kCorrupt);
        CHECK(message.find("deep") != std::string::npos);
    }
}

TEST_CASE("an unknown word without an unknown token is an error of the call") {
    const auto tokenizer = Tokenizer::from_json(
        R"({"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "?"}, "pre_tokenizer": {"type": "WhitespaceSplit"}})",
        "x");
    CHECK(tokenizer->encode("a a").ids == std::vector<std::int32_t>{0, 0});
    CHECK_THROWS_AS(tokenizer->encode("a b"), Error);
}

TEST_CASE("added tokens: the last of one content counts, and an empty form cuts everywhere") {
    Json json = {{"model", {{"type", "BPE"}, {"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}, {" ", 3}}}, {"merges", {"a b"}}}},
                 {"normalizer", {{"type", "StripAccents"}}},
                 {"added_tokens",
                  {{{"id", 4}, {"content", "<x>"}, {"normalized", false}, {"special", true}},
                   {{"id", 4}, {"content", "<x>"}, {"normalized", false}, {"special", false}, {"lstrip", true}}}}};
    auto tokenizer = Tokenizer::from_json(json.dump(), "x");
    CHECK(tokenizer->encode("ab <x>").ids == std::vector<std::int32_t>{2, 4});
    CHECK(tokenizer->decode(std::vector<std::int32_t>{4, 2}) == "ab");  // special once, special for good
    json["added_tokens"].push_back({{"id", 5}, {"content", "\xcc\x81"}});
    tokenizer = Tokenizer::from_json(json.dump(), "x");
    CHECK(tokenizer->encode("abab").ids == std::vector<std::int32_t>{0, 1, 0, 1});
    json["added_tokens"].back()["lstrip"] = true;
    CHECK_THROWS_AS(Tokenizer::from_json(json.dump(), "x"), Error);
}
