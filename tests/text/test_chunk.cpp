// Chunks: they cover the text, keep to the limit, cut where a reader would, and cost a fixed number of counts per byte.
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/chunk.hpp"
#include "text/words.hpp"

using namespace rag::core;

namespace {

bool is_space_at(std::string_view text, std::size_t at) {
    const Range range = trim_range(text.substr(at), {0, 1});
    return range.start == range.end;
}

/// Every byte that is not ASCII white space lies in a chunk; offsets are on code points; starts ascend.
void check_cover(std::string_view text, const std::vector<Range>& chunks, bool overlap) {
    std::size_t covered = 0;
    for (const Range& chunk : chunks) {
        REQUIRE(chunk.start < chunk.end);
        REQUIRE(chunk.end <= text.size());
        if (!overlap) REQUIRE(chunk.start >= covered);
        for (std::size_t at = covered; at < chunk.start; ++at) {
            INFO("byte " << at << " of " << text);
            REQUIRE(is_space_at(text, at));
        }
        REQUIRE((chunk.start == 0 || (static_cast<unsigned char>(text[chunk.start]) & 0xC0U) != 0x80U));
        REQUIRE((chunk.end == text.size() || (static_cast<unsigned char>(text[chunk.end]) & 0xC0U) != 0x80U));
        REQUIRE(chunk.end > covered);
        covered = chunk.end;
    }
    for (std::size_t at = covered; at < text.size(); ++at) REQUIRE(is_space_at(text, at));
}

std::string random_text(std::mt19937& random, std::size_t pieces) {
    static const std::vector<std::string> kPieces{
        "word ",        "longer-word, ",      "End. ",          "Next one! ",           "\n\n",    "\n",          "  ",
        "\u4e2d\u6587", "\u5b66\u4e60\u3002", "\u00e9t\u00e9 ", "supercalifragilistic", "(a; b) ", "\U0001F600 ", "# "};
    std::string text;
    for (std::size_t i = 0; i < pieces; ++i) text += kPieces[random() % kPieces.size()];
    return text;
}

}  // namespace

TEST_CASE("chunks cover random text and keep to the limit") {
    std::mt19937 random(1);
    const TokenCounter words = [](std::string_view text) { return count_words(text); };
    const TokenCounter bytes = [](std::string_view text) { return (text.size() + 2) / 3; };
    for (int round = 0; round < 400; ++round) {
        const std::string text = random_text(random, random() % 120);
        const std::size_t limit = 1 + random() % 30;
        const std::size_t overlap = random() % limit;
        for (const TokenCounter& count : {words, bytes}) {
            for (const std::size_t repeated : {std::size_t{0}, overlap}) {
                const auto chunks = chunk_text(text, {limit, repeated}, count);
                INFO("limit " << limit << " overlap " << repeated);
                check_cover(text, chunks, repeated > 0);
                for (const Range& chunk : chunks) {
                    const std::string_view part = std::string_view(text).substr(chunk.start, chunk.end - chunk.start);
                    if (count(part) > limit) REQUIRE(count_code_points(part) == 1);
                }
            }
        }
    }
}

TEST_CASE("chunks end at sentences, and at paragraphs where they fit") {
    const TokenCounter words = [](std::string_view text) { return count_words(text); };
    const std::string text = "One two three. Four five six. Seven eight nine.";
    auto chunks = chunk_text(text, {7, 0}, words);
    REQUIRE(chunks.size() == 2);
    CHECK(text.substr(chunks[0].start, chunks[0].end - chunks[0].start) == "One two three. Four five six.");
    CHECK(text.substr(chunks[1].start) == "Seven eight nine.");

    const std::string paragraphs = "A b c d e f.\n\nG h i. J k l.\n\nM n.";
    chunks = chunk_text(paragraphs, {10, 0}, words);
    REQUIRE(chunks.size() == 2);
    CHECK(paragraphs.substr(chunks[1].start) == "G h i. J k l.\n\nM n.");

    chunks = chunk_text(text, {7, 3}, words);  // with overlap still whole sentences at the end
    REQUIRE(chunks.size() >= 2);
    CHECK(text.substr(chunks[0].start, chunks[0].end) == "One two three. Four five six.");
    CHECK(text.substr(chunks[1].start) == "Four five six. Seven eight nine.");
}

TEST_CASE("a word longer than a chunk is cut between code points") {
    const TokenCounter points = [](std::string_view text) { return count_code_points(text); };
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "\u00e9";
    const auto chunks = chunk_text(text, {64, 0}, points);
    check_cover(text, chunks, false);
    CHECK(chunks.size() <= 32);
    CHECK(chunk_text("", {5, 0}, points).empty());
    CHECK(chunk_text(" \n ", {5, 0}, points).empty());
}

TEST_CASE("impossible chunk options are refused") {
    const TokenCounter words = [](std::string_view text) { return count_words(text); };
    CHECK_THROWS_WITH(chunk_text("a", {0, 0}, words), Catch::Contains("max_tokens is 0"));
    CHECK_THROWS_WITH(chunk_text("a", {5, 5}, words), Catch::Contains("overlap_tokens is 5"));
}

TEST_CASE("the counter sees a megabyte a fixed number of times") {
    for (const char* piece :
         {"plain words without any end ", "Sentence of words. ", "\u4e2d\u6587\u53e5\u5b50\u3002", "unbroken"}) {
        std::string text;
        while (text.size() < (1u << 20)) text += piece;
        std::size_t counted = 0;
        const TokenCounter count = [&counted](std::string_view part) {
            counted += part.size();
            return part.size() / 4 + 1;
        };
        const auto start = std::chrono::steady_clock::now();
        for (const std::size_t overlap : {0, 40}) {
            counted = 0;
            const auto chunks = chunk_text(text, {200, overlap}, count);
            CHECK(chunks.size() > 1000);
            CHECK(counted < 24 * text.size());
        }
        CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < 10);
    }
}
