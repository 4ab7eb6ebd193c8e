// Small tokenizers of our own with what Hugging Face gives for them (tests/parity/make_tokenizer_fixtures.py): every option of
// the stages that are supported, without a real model.
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>

#include "core/error.hpp"
#include "goldens.hpp"

namespace {

using goldens::Json;
using rag::core::Tokenizer;

std::vector<std::filesystem::path> fixtures() {
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::directory_iterator(FIXTURES)) out.push_back(entry.path());
    return out;
}

}  // namespace

TEST_CASE("small tokenizers give Hugging Face's ids, offsets and text") {
    const auto files = fixtures();
    REQUIRE(files.size() >= 12);
    for (const auto& file : files) {
        const auto rows = goldens::read_lines(file);
        REQUIRE(rows.size() > 50);
        const auto tokenizer = Tokenizer::from_json(rows[0].dump(), file.filename().string());
        for (std::size_t i = 1; i < rows.size(); ++i) {
            INFO(file.filename().string() << " row " << i << ": " << rows[i].dump());
            if (rows[i].contains("error")) {
                const std::string text = rows[i].at("text"), pair = rows[i].value("pair", "");
                const bool special = rows[i].at("special");
                if (rows[i].contains("pair")) {
                    CHECK_THROWS_AS(tokenizer->encode(text, pair, special), rag::core::Error);
                } else {
                    CHECK_THROWS_AS(tokenizer->encode(text, std::nullopt, special), rag::core::Error);
                }
                continue;
            }
            CHECK(goldens::compare(*tokenizer, rows[i]).empty());
        }
    }
}

TEST_CASE("the quick way gives the ids of the whole way") {
    for (const auto& file : fixtures()) {
        const auto rows = goldens::read_lines(file);
        Json json = rows[0];
        json["truncation"] = nullptr;
        json["padding"] = nullptr;
        const auto tokenizer = Tokenizer::from_json(json.dump(), file.filename().string());
        for (std::size_t i = 1; i < rows.size(); ++i) {
            const std::string text = rows[i].at("text");
            INFO(file.filename().string() << " row " << i << ": " << rows[i].dump());
            for (const bool special : {true, false}) {
                std::vector<std::int32_t> ids = {7};
                tokenizer->encode_ids(text, special, ids);
                CHECK(ids.front() == 7);
                ids.erase(ids.begin());
                CHECK(ids == tokenizer->encode(text, std::nullopt, special).ids);
            }
            CHECK(tokenizer->count_tokens(text) == tokenizer->encode(text, std::nullopt, false).size());
        }
    }
}

TEST_CASE("offsets lie in the text, in order, at characters") {
    for (const auto& file : fixtures()) {
        const auto rows = goldens::read_lines(file);
        const auto tokenizer = Tokenizer::from_json(rows[0].dump(), file.filename().string());
        for (std::size_t i = 1; i < rows.size(); ++i) {
            if (rows[i].contains("pair") || rows[i].contains("error")) continue;
            const std::string text = rows[i].at("text");
            INFO(file.filename().string() << " row " << i << ": " << rows[i].dump());
            for (const auto& [start, end] : tokenizer->encode(text, std::nullopt, false).offsets) {
                CHECK(start <= end);
                CHECK(end <= text.size());
                CHECK((start == text.size() || (static_cast<unsigned char>(text[start]) & 0xC0U) != 0x80U));
                CHECK((end == text.size() || (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U));
            }
        }
    }
}
