// Files that lie: every one is refused with an Error that names the file and the value, none crashes, none takes long.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "tokenizer/tokenizer.hpp"

namespace {

using Json = nlohmann::json;
using rag::core::Code;
using rag::core::Error;
using rag::core::Tokenizer;

Json good() {
    return Json::parse(R"({"version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [{"id": 4, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                          "special": true}],
        "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 1}}], "special_tokens": {"<s>": {"id": "<s>", "ids": [4], "tokens": ["<s>"]}}},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "abab": 3, "<s>": 4}, "merges": ["a b", ["ab", "ab"]]}})");
}

Code refusal(const std::string& text, std::string& message) {
    try {
        Tokenizer::from_json(text, "hostile.json");
    } catch (const Error& error) {
        message = error.what();
        return error.code();
    }
    return Code::kOk;
}

Json changed(const std::string& pointer, const Json& value) {
    Json json = good();
    json[Json::json_pointer(pointer)] = value;
    return json;
}

}  // namespace

TEST_CASE("the file that the others are made from is good") {
    const auto tokenizer = Tokenizer::from_json(good().dump(), "good.json");
    CHECK(tokenizer->encode("ababab").ids == std::vector<std::int32_t>{4, 3, 2});
}

TEST_CASE("wrong types and values are refused by name") {
    struct Case {
        const char* pointer;
        Json value;
        Code code;
        const char* named;
    };
    const std::vector<Case> cases = {
        {"/version", "9.0", Code::kVersion, "9.0"},
        {"/version", 1, Code::kCorrupt, "version"},
        {"/model", nullptr, Code::kCorrupt, "model"},
        {"/model", "BPE", Code::kCorrupt, "model"},
        {"/model/type", "Oracle", Code::kUnsupported, "Oracle"},
        {"/model/type", "Unigram", Code::kCorrupt, "vocab"},
        {"/model/vocab", Json::array(), Code::kCorrupt, "vocab"},
        {"/model/vocab/a", -1, Code::kCorrupt, "-1"},
        {"/model/vocab/a", 1.5, Code::kCorrupt, "1.5"},
        {"/model/vocab/a", "0", Code::kCorrupt, "vocab"},
        {"/model/vocab/a", 4194304, Code::kCorrupt, "4194304"},
        {"/model/vocab/a", 18446744073709551615U, Code::kCorrupt, "18446744073709551615"},
        {"/model/merges", 7, Code::kCorrupt, "merges"},
        {"/model/merges/0", "a", Code::kCorrupt, "merge 0"},
        {"/model/merges/0", "a b c", Code::kCorrupt, "a b c"},
        {"/model/merges/0", "a x", Code::kCorrupt, "\"x\""},
        {"/model/merges/0", "b a", Code::kCorrupt, "ba"},
        {"/model/merges/1", Json::array({"ab", 3}), Code::kCorrupt, "merges"},
        {"/model/dropout", 0.1, Code::kUnsupported, "dropout"},
        {"/model/fuse_unk", "yes", Code::kCorrupt, "fuse_unk"},
        {"/added_tokens", Json::object(), Code::kCorrupt, "added_tokens"},
        {"/added_tokens/0", 3, Code::kCorrupt, "added_tokens[0]"},
        {"/added_tokens/0/content", nullptr, Code::kCorrupt, "content"},
        {"/added_tokens/0/id", -7, Code::kCorrupt, "-7"},
        {"/added_tokens/0/special", 1, Code::kCorrupt, "special"},
        {"/normalizer", Json::object({{"type", "Rot13"}}), Code::kUnsupported, "Rot13"},
        {"/normalizer", Json::array(), Code::kCorrupt, "normalizer"},
        {"/normalizer", Json::parse(R"({"type": "Sequence", "normalizers": [{"type": "Replace", "pattern": {"Regex": "b*"},
            "content": "c"}]})"),
         Code::kUnsupported, "in front of ByteLevel"},
        {"/pre_tokenizer/type", "Guess", Code::kUnsupported, "Guess"},
        {"/pre_tokenizer", Json::parse(R"({"type": "Split", "pattern": {"Regex": "(a"}, "behavior": "Isolated"})"),
         Code::kUnsupported, "(a"},
        {"/pre_tokenizer", Json::parse(R"({"type": "Split", "pattern": {"Regex": "a"}, "behavior": "Dissolved"})"),
         Code::kCorrupt, "Dissolved"},
        {"/pre_tokenizer", Json::parse(R"({"type": "Split", "pattern": {}, "behavior": "Isolated"})"), Code::kCorrupt, "pattern"},
        {"/post_processor/type", "Postbox", Code::kUnsupported, "Postbox"},
        {"/post_processor/single/0/SpecialToken/id", "<x>", Code::kCorrupt, "<x>"},
        {"/post_processor/single/1/Sequence/id", "C", Code::kCorrupt, "must be A"},
        {"/post_processor/pair", Json::array(), Code::kCorrupt, "pair"},
        {"/post_processor/special_tokens/<s>/ids", Json::array({1, 2}), Code::kCorrupt, "2 ids"},
        {"/decoder/type", "Ring", Code::kUnsupported, "Ring"},
        {"/truncation", Json::object({{"max_length", -1}}), Code::kCorrupt, "-1"},
        {"/truncation", Json::object({{"max_length", 5}, {"strategy", "Coin"}}), Code::kCorrupt, "Coin"},
        {"/padding", Json::object({{"strategy", {{"Fixed", 1000000000}}}}), Code::kCorrupt, "1000000000"},
        {"/padding", Json::object({{"strategy", "Widest"}}), Code::kCorrupt, "strategy"},
    };
    for (const Case& one : cases) {
        INFO(one.pointer << " = " << one.value.dump());
        std::string message;
        CHECK(refusal(changed(one.pointer, one.value).dump(), message) == one.code);
        INFO(message);
        CHECK(message.find(one.named) != std::string::npos);
        CHECK(message.find("hostile.json") != std::string::npos);
        CHECK(message.find('\n') == std::string::npos);
    }
}

TEST_CASE("a Unigram model that contradicts itself is refused by name") {
    const auto with = [](const char* key, const Json& value) {
        Json json = changed("/pre_tokenizer", nullptr);
        json["model"] = Json::parse(R"({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0], ["a", -1.5], ["<s>", -2]]})");
        json["model"][key] = value;
        return json.dump();
    };
    struct Case {
        const char* key;
        Json value;
        const char* named;
    };
    const std::vector<Case> cases = {{"unk_id", 3, "3"},
                                     {"unk_id", -1, "-1"},
                                     {"unk_id", "0", "unk_id"},
                                     {"vocab", Json::object(), "vocab"},
                                     {"vocab", Json::array(), "unk_id"},
                                     {"vocab", Json::array({Json::array({"a"})}), "vocab[0]"},
                                     {"vocab", Json::array({Json::array({"a", "b"})}), "vocab[0]"},
                                     {"vocab", Json::array({Json::array({1, 2})}), "vocab"},
                                     {"byte_fallback", 1, "byte_fallback"}};
    for (const Case& one : cases) {
        INFO(one.key << " = " << one.value.dump());
        std::string message;
        CHECK(refusal(with(one.key, one.value), message) == Code::kCorrupt);
        INFO(message);
        CHECK(message.find(one.named) != std::string::npos);
    }
    const auto tokenizer = Tokenizer::from_json(with("byte_fallback", false), "good.json");
    CHECK(tokenizer->encode("aab", std::nullopt, false).ids == std::vector<std::int32_t>{1, 1, 0});
}

TEST_CASE("every truncation of a file is refused") {
    const std::string whole = good().dump();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        std::string message;
        CHECK(refusal(whole.substr(0, size), message) == Code::kCorrupt);
    }
}

TEST_CASE("text that is not UTF-8 is refused in a file and in a call") {
    std::string message;
    std::string json = good().dump();
    json.replace(json.find("<s>"), 3, "\xff<s");
    CHECK(refusal(json, message) == Code::kCorrupt);
    const auto tokenizer = Tokenizer::from_json(good().dump(), "good.json");
    for (const std::string text : {"a\xff", "\xed\xa0\x80", "abc\xe4\xb8", "\xc0\x80", "\xf4\x90\x80\x80"}) {
        CHECK_THROWS_AS(tokenizer->encode(text), Error);
        std::vector<std::int32_t> ids = {1, 2};
        CHECK_THROWS_AS(tokenizer->encode_ids(text, true, ids), Error);
        CHECK(ids == std::vector<std::int32_t>{1, 2});
    }
}

TEST_CASE("deep and long files end in an error, not in a full stack") {
    std::string message;
    CHECK(refusal(std::string(1'000'000, '['), message) == Code::kCorrupt);
    Json stage = {{"type", "Digits"}};
    for (int i = 0; i < 40; ++i) stage = {{"type", "Sequence"}, {"pretokenizers", Json::array({stage})}};
    CHECK(refusal(changed("/pre_tokenizer", stage).dump(), message) == Code::kCorrupt);
    CHECK(message.find("nested") != std::string::npos);
}

TEST_CASE("merges that chase each other end") {
    // Each merge makes a token that is one of its own parts' neighbours; every merge still shortens the word by one symbol.
    Json json = good();
    json["model"]["vocab"] = {{"a", 0}, {"aa", 0}, {"aaa", 1}, {"aaaa", 0}, {"<s>", 4}};
    json["model"]["merges"] = {"a a", "aa aa", "aa a", "a aa", "aaa a"};
    const auto tokenizer = Tokenizer::from_json(json.dump(), "cycle.json");
    const auto encoding = tokenizer->encode(std::string(100'000, 'a'), std::nullopt, false);
    REQUIRE(encoding.size() >= 1);
    CHECK(encoding.offsets.back().second == 100'000);
}

TEST_CASE("a pattern that backtracks without end is stopped") {
    Json json = changed("/pre_tokenizer",
                        Json::parse(R"json({"type": "Split", "pattern": {"Regex": "(a+)+(b|$)"}, "behavior": "Isolated"})json"));
    const auto tokenizer = Tokenizer::from_json(json.dump(), "slow.json");
    CHECK_THROWS_AS(tokenizer->encode(std::string(4000, 'a') + "c"), Error);
    CHECK(tokenizer->encode("aab").ids.size() > 1);  // and the tokenizer is as good as before
}

TEST_CASE("a template that adds more tokens than any text needs is refused") {
    Json json = good();
    Json& token = json["post_processor"]["special_tokens"]["<s>"];
    for (int i = 0; i < 300; ++i) {
        token["ids"].push_back(4);
        token["tokens"].push_back("<s>");
        json["post_processor"]["single"].push_back({{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}});
    }
    std::string message;
    CHECK(refusal(json.dump(), message) == Code::kUnsupported);
    CHECK(message.find("post_processor.single adds more than 65536 tokens") != std::string::npos);
}

TEST_CASE("stages that multiply a text are stopped") {
    const Json ten = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaaaaaaaa"}};
    Json json = changed("/normalizer", {{"type", "Sequence"}, {"normalizers", Json::array()}});
    Json decoder = {{"type", "Sequence"}, {"decoders", Json::array()}};
    for (int i = 0; i < 9; ++i) {
        json["normalizer"]["normalizers"].push_back(ten);
        decoder["decoders"].push_back(ten);
    }
    const auto tokenizer = Tokenizer::from_json(json.dump(), "grows.json");
    CHECK_THROWS_WITH(tokenizer->encode(std::string(10, 'a')), Catch::Contains("a normalizer makes more than 16777536 bytes"));
    CHECK(tokenizer->encode("b").ids == std::vector<std::int32_t>{4, 1});
    const auto decoding = Tokenizer::from_json(changed("/decoder", decoder).dump(), "grows.json");
    const std::vector<std::int32_t> one = {0}, other = {1};
    CHECK_THROWS_WITH(decoding->decode(one), Catch::Contains("the decoder Replace makes 100000000 bytes of 10000000"));
    CHECK(decoding->decode(other) == "b");
}
