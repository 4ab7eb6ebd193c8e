// Tokenizer and StreamDecoder as their users meet them: ids of no token, half characters, threads, long texts.
#include "tokenizer/tokenizer.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "goldens.hpp"

namespace {

using rag::core::Error;
using rag::core::StreamDecoder;
using rag::core::Tokenizer;

std::shared_ptr<const Tokenizer> fixture(const char* name) {
    return Tokenizer::from_json(goldens::read_lines(std::filesystem::path(FIXTURES) / name).at(0).dump(), name);
}

}  // namespace

TEST_CASE("ids and tokens find each other, ids of no token are refused or left out") {
    const auto tokenizer = fixture("word_piece.jsonl");
    CHECK(tokenizer->vocab_size() == 400);
    CHECK(tokenizer->id_limit() == 400);
    for (std::int32_t id = 0; id < 400; ++id) CHECK(tokenizer->token_to_id(tokenizer->id_to_token(id)) == id);
    CHECK(!tokenizer->token_to_id("surely not a token"));
    for (const std::int32_t id : {-1, 400, 1 << 30}) {
        CHECK_THROWS_AS(tokenizer->id_to_token(id), Error);
        CHECK(!tokenizer->is_special(id));
        CHECK(tokenizer->decode(std::vector<std::int32_t>{id}).empty());
    }
    CHECK(tokenizer->is_special(*tokenizer->token_to_id("[CLS]")));
}

TEST_CASE("a stream gives whole characters, and all of them") {
    const auto tokenizer = fixture("byte_level.jsonl");
    const std::string text = "a\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\xe6\xbc\xa2\xc3\xa9z";
    std::vector<std::int32_t> ids;
    tokenizer->encode_ids(text, true, ids);
    REQUIRE(ids.size() > rag::core::count_code_points(text));  // some characters are cut
    StreamDecoder stream(*tokenizer);
    for (int round = 0; round < 2; ++round) {  // finish() makes it as new
        std::string out;
        for (const std::int32_t id : ids) {
            const std::string part = stream.push(id);
            CHECK(rag::core::find_invalid_utf8(part) == std::string::npos);
            CHECK(part.find("\xef\xbf\xbd") == std::string::npos);
            out += part;
        }
        CHECK(stream.finish().empty());
        CHECK(out == text);
    }
    // Half a character at the end comes out when nothing can follow, one in the middle as soon as that is certain.
    std::vector<std::int32_t> half;
    tokenizer->encode_ids("\xe6\xbc\xa2", false, half);
    REQUIRE(half.size() > 1);
    CHECK(stream.push(half[0]).empty());
    CHECK(stream.finish() == "\xef\xbf\xbd");
    CHECK(stream.push(half[0]).empty());
    CHECK(stream.push(ids[0]) ==
          "\xef\xbf\xbd"
          "a");
    CHECK(stream.push(-5).empty());
}

TEST_CASE("batches pad to their longest, pairs and plain texts encode alike alone") {
    auto json = goldens::read_lines(std::filesystem::path(FIXTURES) / "word_piece.jsonl").at(0);
    json["padding"] = {
        {"strategy", "BatchLongest"}, {"direction", "Right"}, {"pad_id", 0}, {"pad_type_id", 0}, {"pad_token", "[PAD]"}};
    const auto tokenizer = Tokenizer::from_json(json.dump(), "padded");
    const std::vector<std::string_view> texts = {"the answer", "", "passages are cut into words"};
    const auto batch = tokenizer->encode_batch(texts);
    REQUIRE(batch.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(batch[i].size() == batch[2].size());
        auto alone = tokenizer->encode(texts[i]);
        CHECK(std::equal(alone.ids.begin(), alone.ids.end(), batch[i].ids.begin()));
        CHECK(batch[i].attention_mask[alone.size() - 1] == 1);
        if (alone.size() < batch[i].size()) CHECK(batch[i].attention_mask[alone.size()] == 0);
    }
}

TEST_CASE("one tokenizer serves many threads") {
    for (const char* name : {"byte_level.jsonl", "word_piece.jsonl"}) {
        const auto rows = goldens::read_lines(std::filesystem::path(FIXTURES) / name);
        const auto tokenizer = fixture(name);
        std::vector<int> wrong(4);
        std::vector<std::thread> threads;
        for (int& count : wrong) {
            threads.emplace_back([&] {
                for (int round = 0; round < 5; ++round) {
                    for (std::size_t i = 1; i < rows.size(); ++i) count += !goldens::compare(*tokenizer, rows[i]).empty();
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        CHECK(wrong == std::vector<int>(4));
    }
}

TEST_CASE("time grows with the text, not with its square") {
    for (const char* name : {"byte_level.jsonl", "byte_level_split.jsonl", "word_piece.jsonl", "added_tokens.jsonl"}) {
        const auto tokenizer = fixture(name);
        for (const std::string unit :
             {"a", " ", "!", "\xe4\xb8\xad", "a\xcc\x81", "\xcc\x81", "1", "[MASK]", "<", "\n", "\t \xe2\x80\x83"}) {
            std::string text;
            while (text.size() < 1'000'000) text += unit;
            const auto start = std::chrono::steady_clock::now();
            std::vector<std::int32_t> ids;
            tokenizer->encode_ids(text, true, ids);
            INFO(name << " " << unit);
            CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));  // a quadratic one takes an hour
        }
    }
}
