// The tokenizer over C and C++: arguments, option structs of other versions, pairs, overflow, batches, streams, saving, threads.
#include <rag/rag.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "test_files.hpp"

namespace {

const std::string kJson = R"({"version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 0, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                      "special": true}],
    "normalizer": null, "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [0], "tokens": ["[CLS]"]}}},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
              "vocab": {"[CLS]": 0, "?": 1, "a": 2, "b": 3, "c": 4, "##b": 5}}})";

rag_text text(const char* value) {
    return {value, std::strlen(value)};
}

rag::Tokenizer small() {
    return rag::Tokenizer::from_json(kJson, R"({"pad_token": "?", "eos_token": "none such"})");
}

std::vector<std::int32_t> ids(const rag::Encoding& encoding) {
    return encoding.ids();
}

template <typename Call>
std::string refusal(const Call& call) {
    try {
        call();
    } catch (const rag::Error& error) {
        return std::string(rag_status_name(error.code())) + ": " + error.what();
    }
    return "no error";
}

bool contains(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("The tokenizer's frees and accessors take NULL, its calls name what is NULL") {
    rag_decode_stream_free(nullptr);
    CHECK(rag_encoding_token(nullptr, 0).data == nullptr);
    CHECK(rag_tokenizer_token(nullptr, 0).data == nullptr);
    CHECK(rag_tokenizer_id_limit(nullptr) == 0);
    CHECK(rag_tokenizer_added_token_count(nullptr) == 0);
    rag_encoding* encoding = reinterpret_cast<rag_encoding*>(&encoding);
    CHECK(rag_tokenizer_encode(nullptr, text("a"), {nullptr, 0}, nullptr, &encoding) == RAG_INVALID_ARGUMENT);
    CHECK(encoding == nullptr);
    CHECK(contains(rag_error_message(), "tokenizer"));
    const auto tokenizer = small();
    CHECK(rag_tokenizer_encode(tokenizer.handle(), {nullptr, 3}, {nullptr, 0}, nullptr, &encoding) == RAG_INVALID_ARGUMENT);
    CHECK(contains(rag_error_message(), "text is NULL"));
    CHECK(rag_tokenizer_encode(tokenizer.handle(), text("a"), {nullptr, 0}, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_tokenizer_encode_batch(tokenizer.handle(), nullptr, nullptr, 2, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_tokenizer_encode_batch(tokenizer.handle(), nullptr, nullptr, 0, nullptr, nullptr) == RAG_OK);
    CHECK(rag_tokenizer_decode(tokenizer.handle(), nullptr, 2, 1, nullptr) == RAG_INVALID_ARGUMENT);
    rag_string* string = nullptr;
    CHECK(rag_tokenizer_decode(tokenizer.handle(), nullptr, 2, 1, &string) == RAG_INVALID_ARGUMENT);
    std::size_t count = 7;
    CHECK(rag_encoding_overflow_count(nullptr, &count) == RAG_INVALID_ARGUMENT);
    CHECK(count == 0);
    rag_text piece = text("x");
    CHECK(rag_decode_stream_push(nullptr, 1, &piece) == RAG_INVALID_ARGUMENT);
    CHECK(piece.data == nullptr);
    CHECK(rag_tokenizer_save(tokenizer.handle(), {nullptr, 0}) == RAG_INVALID_ARGUMENT);
}

TEST_CASE("An encoding says everything about its tokens") {
    const auto tokenizer = small();
    const auto encoding = tokenizer.encode("ab  c!", "b");
    CHECK(ids(encoding) == std::vector<std::int32_t>{0, 2, 5, 4, 1, 3});
    CHECK(encoding.tokens() == std::vector<std::string>{"[CLS]", "a", "##b", "c", "?", "b"});
    CHECK(std::vector<rag::Offset>(encoding.offsets()) ==
          std::vector<rag::Offset>{{0, 0}, {0, 1}, {1, 2}, {4, 5}, {5, 6}, {0, 1}});
    CHECK(std::vector<std::uint32_t>(encoding.type_ids()) == std::vector<std::uint32_t>{0, 0, 0, 0, 0, 1});
    CHECK(std::vector<std::int32_t>(encoding.word_ids()) == std::vector<std::int32_t>{-1, 0, 0, 1, 2, 0});
    CHECK(std::vector<std::int8_t>(encoding.sequence_ids()) == std::vector<std::int8_t>{-1, 0, 0, 0, 0, 1});
    CHECK(std::vector<std::uint32_t>(encoding.special_tokens_mask()) == std::vector<std::uint32_t>{1, 0, 0, 0, 0, 0});
    CHECK(encoding.overflowing().empty());
    CHECK(encoding.token(6).empty());
    // An empty pair is a pair, no pair is none; an empty text has its special tokens.
    CHECK(ids(tokenizer.encode("", "")) == std::vector<std::int32_t>{0});
    CHECK(ids(tokenizer.encode("a\0b", std::nullopt)) == std::vector<std::int32_t>{0, 2});
    CHECK(ids(tokenizer.encode(std::string_view("a\0b", 3))) == std::vector<std::int32_t>{0, 1});
    // Views live on when the tokenizer is gone.
    std::optional<rag::Tokenizer> gone(small());
    const auto kept = gone->encode("b");
    gone.reset();
    CHECK(kept.token(1) == "b");
}

TEST_CASE("An encoding comes back from its bytes without its tokenizer") {
    rag::EncodeOptions options;
    options.truncation = RAG_TRUNCATION_LONGEST_FIRST;
    options.max_length = 3;
    options.keep_overflow = true;
    const auto encoding = small().encode("ab  c!", "b", options);
    const auto back = rag::Encoding::from_bytes(encoding.to_bytes());
    CHECK(ids(back) == ids(encoding));
    CHECK(back.tokens() == encoding.tokens());
    CHECK(std::vector<rag::Offset>(back.offsets()) == std::vector<rag::Offset>(encoding.offsets()));
    CHECK(back.token(back.size()).empty());
    REQUIRE(!encoding.overflowing().empty());
    REQUIRE(back.overflowing().size() == encoding.overflowing().size());
    CHECK(back.overflowing()[0].tokens() == encoding.overflowing()[0].tokens());
    CHECK(back.to_bytes() == encoding.to_bytes());
    CHECK(contains(refusal([] { rag::Encoding::from_bytes("RAGE"); }), "RAG_CORRUPT"));
    rag_string* bytes = nullptr;
    CHECK(rag_encoding_to_bytes(nullptr, &bytes) == RAG_INVALID_ARGUMENT);
    rag_encoding* none = nullptr;
    CHECK(rag_encoding_from_bytes({nullptr, 4}, &none) == RAG_INVALID_ARGUMENT);
    CHECK(none == nullptr);
}

TEST_CASE("Offsets count bytes or characters, and ill-formed text is refused or replaced") {
    const auto tokenizer = small();
    const std::string bad = "\xc3\xa9 \xf0\x9f b\xff";
    CHECK(contains(refusal([&] { tokenizer.encode(bad); }), "RAG_INVALID_ARGUMENT: the text is not valid UTF-8"));
    CHECK(contains(refusal([&] { tokenizer.encode("a", bad); }), "offset 3"));
    rag::EncodeOptions options;
    options.add_special_tokens = false;
    options.invalid_text = RAG_INVALID_TEXT_REPLACE;
    const auto bytes = tokenizer.encode(bad, std::nullopt, options);
    CHECK(std::vector<rag::Offset>(bytes.offsets()) == std::vector<rag::Offset>{{0, 2}, {3, 5}, {6, 8}});
    options.offset_unit = RAG_OFFSET_CHARACTERS;
    const auto characters = tokenizer.encode(bad, std::nullopt, options);
    CHECK(std::vector<rag::Offset>(characters.offsets()) == std::vector<rag::Offset>{{0, 1}, {2, 3}, {4, 6}});
    // The same ids as of the text that has the replacements already.
    CHECK(ids(characters) == ids(tokenizer.encode("\xc3\xa9 \xef\xbf\xbd b\xef\xbf\xbd", std::nullopt, options)));
}

TEST_CASE("Truncation and padding a call") {
    const auto tokenizer = small();
    rag::EncodeOptions options;
    options.truncation = RAG_TRUNCATION_LONGEST_FIRST;
    options.max_length = 3;
    options.stride = 1;
    CHECK(tokenizer.encode("a b c", std::nullopt, options).overflowing().empty());  // nobody asked to keep it
    options.keep_overflow = true;
    options.padding = RAG_PADDING_LENGTH;
    options.padding_length = 3;
    options.padding_multiple = 4;
    const auto encoding = tokenizer.encode("a b c", std::nullopt, options);
    CHECK(ids(encoding) == std::vector<std::int32_t>{0, 2, 3, 1});  // padded by the token that the configuration names
    CHECK(std::vector<std::uint32_t>(encoding.attention_mask()) == std::vector<std::uint32_t>{1, 1, 1, 0});
    auto more = encoding.overflowing();
    REQUIRE(more.size() == 1);
    CHECK(ids(more[0]) == std::vector<std::int32_t>{0, 3, 4, 1});
    options.pad_id = 4;
    options.pad_token = "<pad>";
    options.pad_left = true;
    CHECK(tokenizer.encode("a", std::nullopt, options).tokens() == std::vector<std::string>{"<pad>", "<pad>", "[CLS]", "a"});

    const auto error = [&](auto change) {
        rag::EncodeOptions changed = options;
        change(changed);
        return refusal([&] { tokenizer.encode("a b c", std::nullopt, changed); });
    };
    CHECK(contains(error([](auto& o) { o.stride = 2; }), "stride of 2"));
    CHECK(contains(error([](auto& o) { o.max_length = 0; }), "no room"));
    CHECK(contains(error([](auto& o) { o.truncation = RAG_TRUNCATION_ONLY_SECOND; }), "second"));
    CHECK(contains(error([](auto& o) { o.padding_length = 1U << 21; }), "2097152"));
    CHECK(contains(error([](auto& o) {
                       o.pad_id = 77;
                       o.pad_token.reset();
                   }),
                   "77"));
    CHECK(contains(error([](auto& o) { o.pad_id = -5; }), "pad_id is -5"));
}

TEST_CASE("Options out of range, and option structs of other versions") {
    const auto tokenizer = small();
    for (std::uint32_t rag_tokenize_options::* member : {&rag_tokenize_options::invalid_text, &rag_tokenize_options::offset_unit,
                                                         &rag_tokenize_options::truncation, &rag_tokenize_options::padding}) {
        rag_tokenize_options options = RAG_TOKENIZE_OPTIONS_INIT;
        options.*member = 5;
        rag_encoding* none = nullptr;
        CHECK(rag_tokenizer_encode(tokenizer.handle(), text("a"), {nullptr, 0}, &options, &none) == RAG_INVALID_ARGUMENT);
        CHECK(contains(rag_error_message(), " is 5, the last value is "));
    }
    struct {
        rag_tokenize_options known;
        std::uint64_t added;
    } newer = {RAG_TOKENIZE_OPTIONS_INIT, 0};
    newer.known.struct_size = sizeof newer;
    rag_encoding* encoding = nullptr;
    CHECK(rag_tokenizer_encode(tokenizer.handle(), text("a"), {nullptr, 0}, &newer.known, &encoding) == RAG_OK);
    rag_encoding_free(encoding);
    newer.added = 1;
    CHECK(rag_tokenizer_encode(tokenizer.handle(), text("a"), {nullptr, 0}, &newer.known, &encoding) == RAG_INVALID_ARGUMENT);
    newer.known.struct_size = 3;
    CHECK(rag_tokenizer_encode(tokenizer.handle(), text("a"), {nullptr, 0}, &newer.known, &encoding) == RAG_INVALID_ARGUMENT);
    CHECK(contains(rag_error_message(), "rag_tokenize_options.struct_size is 3"));
}

TEST_CASE("Words are texts of their own in one sequence") {
    const auto tokenizer = small();
    const auto words = tokenizer.encode_words({"ab", "", "a c", "b"}, std::vector<std::string_view>{"c"});
    CHECK(ids(words) == std::vector<std::int32_t>{0, 2, 5, 2, 4, 3, 4});
    CHECK(std::vector<std::int32_t>(words.word_ids()) == std::vector<std::int32_t>{-1, 0, 0, 2, 2, 3, 0});
    CHECK(std::vector<std::uint32_t>(words.type_ids()) == std::vector<std::uint32_t>{0, 0, 0, 0, 0, 0, 1});
    CHECK(std::vector<rag::Offset>(words.offsets()) ==
          std::vector<rag::Offset>{{0, 0}, {0, 1}, {1, 2}, {0, 1}, {2, 3}, {0, 1}, {0, 1}});
    CHECK(ids(tokenizer.encode_words({})) == std::vector<std::int32_t>{0});
    CHECK(ids(tokenizer.encode_words({}, std::vector<std::string_view>{})) == std::vector<std::int32_t>{0});

    rag::EncodeOptions options;
    options.truncation = RAG_TRUNCATION_LONGEST_FIRST;
    options.max_length = 3;
    options.keep_overflow = true;
    options.offset_unit = RAG_OFFSET_CHARACTERS;
    const auto cut = tokenizer.encode_words({"\xc3\xa9", "a", "\xc3\xa9 b", "c"}, std::nullopt, options);
    CHECK(ids(cut) == std::vector<std::int32_t>{0, 1, 2});
    const auto more = cut.overflowing();
    REQUIRE(more.size() == 2);
    CHECK(ids(more[0]) == std::vector<std::int32_t>{0, 1, 3});
    CHECK(std::vector<std::int32_t>(more[0].word_ids()) == std::vector<std::int32_t>{-1, 2, 2});
    CHECK(std::vector<rag::Offset>(more[0].offsets()) == std::vector<rag::Offset>{{0, 0}, {0, 1}, {2, 3}});

    const std::vector<rag::WordsPair> texts = {{{"a", "b"}, std::nullopt}, {{}, std::nullopt}, {{"c"}, {{"a", "ab"}}}};
    const auto batch = tokenizer.encode_words_batch(texts);
    REQUIRE(batch.size() == 3);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        CHECK(ids(batch[i]) == ids(tokenizer.encode_words(texts[i].words, texts[i].pair)));
    }
    // Each word is well-formed by itself, or it is refused.
    CHECK(contains(refusal([&] { tokenizer.encode_words({"a", "\xe4\xb8", "\xad"}); }), "words[1] is not valid UTF-8"));
    CHECK(contains(refusal([&] { tokenizer.encode_words({}, std::vector<std::string_view>{"\xff"}); }), "pair[0] is not valid"));
    CHECK(contains(refusal([&] { tokenizer.encode_words_batch({{{"a"}, {}}, {{"b", "\xff"}, {}}}); }), "texts[1]: words[1]"));
    options.invalid_text = RAG_INVALID_TEXT_REPLACE;
    options.truncation = RAG_TRUNCATION_OFF;
    CHECK(tokenizer.encode_words({"a", "\xe4\xb8", "\xad"}, std::nullopt, options).size() == 4);

    rag_encoding* encoding = reinterpret_cast<rag_encoding*>(&encoding);
    CHECK(rag_tokenizer_encode_words(tokenizer.handle(), {nullptr, 2}, {nullptr, 0}, nullptr, &encoding) == RAG_INVALID_ARGUMENT);
    CHECK(encoding == nullptr);
    CHECK(rag_tokenizer_encode_words(tokenizer.handle(), {nullptr, 0}, {nullptr, 1}, nullptr, &encoding) == RAG_INVALID_ARGUMENT);
    CHECK(rag_tokenizer_encode_words(nullptr, {nullptr, 0}, {nullptr, 0}, nullptr, &encoding) == RAG_INVALID_ARGUMENT);
    CHECK(rag_tokenizer_encode_words_batch(tokenizer.handle(), nullptr, nullptr, 2, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_tokenizer_encode_words_batch(tokenizer.handle(), nullptr, nullptr, 0, nullptr, nullptr) == RAG_OK);
}

TEST_CASE("Batches keep their order, name what is wrong, and stop") {
    const auto tokenizer = small();
    std::vector<rag::TextPair> texts;
    for (int i = 0; i < 3000; ++i)
        texts.push_back({i % 2 == 0 ? "a b" : "a b c", i % 3 == 0 ? std::optional("c") : std::nullopt});
    rag::EncodeOptions options;
    options.padding = RAG_PADDING_LONGEST;
    for (const std::uint32_t threads : {0U, 1U, 3U}) {
        options.threads = threads;
        const auto batch = tokenizer.encode_pairs(texts, options);
        REQUIRE(batch.size() == texts.size());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const auto alone = ids(tokenizer.encode(texts[i].text, texts[i].pair));
            auto padded = alone;
            padded.resize(5, 1);
            REQUIRE(ids(batch[i]) == padded);
        }
    }
    options.threads = 5000;
    CHECK(contains(refusal([&] { tokenizer.encode_pairs(texts, options); }), "5000 threads"));
    CHECK(contains(refusal([&] { tokenizer.encode_batch({"a", "b\xff"}); }), "texts[1]: the text is not valid UTF-8"));
    options.threads = 2;
    options.progress = [](std::uint64_t, std::uint64_t) { return false; };
    CHECK_THROWS_AS(tokenizer.encode_pairs(texts, options), rag::Stopped);
    options.progress = [](std::uint64_t, std::uint64_t) -> bool { throw std::runtime_error("mine"); };
    CHECK_THROWS_WITH(tokenizer.encode_pairs(texts, options), "mine");
    CHECK(tokenizer.encode_batch({}).empty());

    const auto found = tokenizer.decode_batch({{2, 5, 4}, {}, {0, 99, -1, 3}}, true, 2);
    CHECK(found == std::vector<std::string>{"ab c", "", "b"});
}

TEST_CASE("A tokenizer works from many threads and in a child of fork()") {
    const auto tokenizer = small();
    const std::vector<std::string_view> texts(2000, "a b c ab ab ab ab ab ab ab");
    std::vector<std::thread> threads;
    std::vector<int> good(4, 0);
    for (std::size_t t = 0; t < good.size(); ++t) {
        threads.emplace_back([&, t] {
            for (int round = 0; round < 5; ++round) good[t] += tokenizer.encode_batch(texts).back().size() == 18;
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(good == std::vector<int>(4, 5));
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(tokenizer.encode_batch(texts).back().size() == 18 ? 0 : 1);
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("A decode stream gives what decoding gives, and outlives the tokenizer") {
    std::optional<rag::Tokenizer> tokenizer(small());
    auto stream = tokenizer->decode_stream();
    const std::string whole = tokenizer->decode({0, 2, 5, 4, 1});
    tokenizer.reset();
    for (int round = 0; round < 2; ++round) {
        std::string out;
        for (const std::int32_t id : {0, 2, 5, 4, 77, 1}) out += stream.push(id);
        out += stream.finish();
        CHECK(out == whole);
    }
}

TEST_CASE("The vocabulary") {
    const auto tokenizer = small();
    CHECK(tokenizer.vocab_size() == 6);
    CHECK(tokenizer.id_limit() == 6);
    CHECK(tokenizer.find_token(5) == "##b");
    CHECK(!tokenizer.find_token(6));
    CHECK(!tokenizer.find_token(-1));
    const auto added = tokenizer.added_tokens();
    REQUIRE(added.size() == 1);
    CHECK((added[0].content == "[CLS]" && added[0].id == 0 && added[0].special && !added[0].normalized));
    rag_added_token token = RAG_ADDED_TOKEN_INIT;
    CHECK(rag_tokenizer_added_token_at(tokenizer.handle(), 1, &token) == RAG_INVALID_ARGUMENT);
    CHECK(tokenizer.special_token("pad_token")->id == 1);
    CHECK(tokenizer.special_token("pad_token")->token == "?");
    CHECK(!tokenizer.special_token("eos_token"));  // named, but not in the vocabulary
    CHECK(!tokenizer.special_token("no such name"));
}

TEST_CASE("A saved tokenizer is the tokenizer, and what is not written leaves no file") {
    const rag::test::TemporaryFolder scratch;
    const auto tokenizer = small();
    const std::string path = (scratch.path() / "saved.json").string();
    tokenizer.save(path);
    std::ifstream file(path);
    std::stringstream content;
    content << file.rdbuf();
    CHECK(content.str() == tokenizer.to_json());
    const auto again = rag::Tokenizer::from_json(content.str(), tokenizer.configuration());
    CHECK(again.to_json() == tokenizer.to_json());
    CHECK(again.configuration() == tokenizer.configuration());
    CHECK(ids(again.encode("ab c", "b")) == ids(tokenizer.encode("ab c", "b")));
    CHECK(contains(refusal([&] { tokenizer.save((scratch.path() / "none" / "x.json").string()); }), "RAG_IO"));
    CHECK(std::distance(std::filesystem::directory_iterator(scratch.path()), {}) == 1);
    CHECK(contains(refusal([] { rag::Tokenizer::from_json("{"); }), "RAG_CORRUPT: tokenizer.json"));
    CHECK(contains(refusal([] { rag::Tokenizer::from_json(kJson, R"({"eos_token": 5})"); }), "eos_token"));
}
