// Chunks: they cover the text, keep to the limit, cut where a reader would, and cost a fixed number of counts per byte.
#include <algorithm>
#include <catch2/catch.hpp>
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

bool is_on_code_point(std::string_view text, std::size_t at) {
    return at == 0 || at == text.size() || (static_cast<unsigned char>(text[at]) & 0xC0U) != 0x80U;
}

/// Every character that is not white space lies in a chunk; offsets are on code points; starts ascend; parents hold their chunks.
void check_cover(std::string_view text, const std::vector<Chunk>& chunks, bool overlap) {
    std::size_t covered = 0;
    for (const Chunk& chunk : chunks) {
        REQUIRE(chunk.start < chunk.stop);
        REQUIRE(chunk.stop <= text.size());
        REQUIRE(chunk.parent_start <= chunk.start);
        REQUIRE(chunk.parent_stop >= chunk.stop);
        REQUIRE(chunk.parent_stop <= text.size());
        for (const std::size_t at : {chunk.start, chunk.stop, chunk.parent_start, chunk.parent_stop})
            REQUIRE(is_on_code_point(text, at));
        REQUIRE(find_invalid_utf8(chunk.title_path) == std::string_view::npos);
        REQUIRE(chunk.title_path.size() <= kMaxTitlePathBytes);
        if (!overlap) REQUIRE(chunk.start >= covered);
        for (std::size_t at = covered; at < chunk.start; ++at) {
            INFO("byte " << at << " of " << text);
            REQUIRE(is_space_at(text, at));
        }
        REQUIRE(chunk.stop > covered);
        covered = chunk.stop;
    }
    for (std::size_t at = covered; at < text.size(); ++at) REQUIRE(is_space_at(text, at));
}

const std::vector<std::string> kProse{
    "word ",        "longer-word, ",      "End. ",          "Next one! ",           "\n\n",    "\n",          "  ",
    "\u4e2d\u6587", "\u5b66\u4e60\u3002", "\u00e9t\u00e9 ", "supercalifragilistic", "(a; b) ", "\U0001F600 ", "# "};
const std::vector<std::string> kMarkup{"# One\n",        "\n## Two\n",         "\n### \u4e09 three ###\n",
                                       "Under\n===\n",   "Below\n---\n",       "\n",
                                       "```\n",          "- item\n",           "> quote\n",
                                       "text here. ",    "\u4e2d\u6587\u3002", "\n\n",
                                       "***\nOver\n***", "\n~~~~\n",           "    indented\n"};
const std::vector<std::string> kProgram{"class A {\n",
                                        "void f(int a) {\n",
                                        "}\n",
                                        "};\n",
                                        "// comment\n",
                                        "/* c */",
                                        "x = 1;\n",
                                        "def f(a):\n",
                                        "    return a\n",
                                        "\n",
                                        "class B:\n",
                                        "\"text\" ",
                                        "'c' ",
                                        "'",
                                        "namespace n {",
                                        "f() {",
                                        "if (a) {",
                                        "\"\"\"doc\n",
                                        "`raw ",
                                        "#if X\n",
                                        "end\n",
                                        "fn g<T>(x: T)",
                                        " -> \u4e2d {\n",
                                        "# note\n",
                                        "=> { ",
                                        "impl A for B {\n",
                                        "@wrap\n",
                                        ") ; "};

std::string random_text(std::mt19937& random, std::size_t pieces, const std::vector<std::string>& from = kProse) {
    std::string text;
    for (std::size_t i = 0; i < pieces; ++i) text += from[random() % from.size()];
    return text;
}

std::vector<Chunk> chunk_prose(std::string_view text, const ChunkOptions& options, const TokenCounter& count) {
    return chunk_text(text, TextKind::kText, options, count);
}

std::string_view text_of(std::string_view text, const Chunk& chunk) {
    return text.substr(chunk.start, chunk.stop - chunk.start);
}

const TokenCounter kWords = [](std::string_view text) { return count_words(text); };
const TokenCounter kBytes = [](std::string_view text) { return (text.size() + 2) / 3; };

}  // namespace

TEST_CASE("chunks of every kind cover random text, keep to the limit and come out the same again") {
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        const auto& source = round % 3 == 0 ? kProse : round % 3 == 1 ? kMarkup : kProgram;
        const std::string text = random_text(random, random() % 120, source);
        const auto kind = static_cast<TextKind>(random() % kTextKinds);
        ChunkOptions options;
        options.max_tokens = 1 + random() % 30;
        options.overlap_tokens = random() % 2 == 0 ? 0 : random() % options.max_tokens;
        options.chunker = static_cast<ChunkerKind>(random() % kChunkerKinds);
        // Headings take room where they are embedded with the chunk.
        if (random() % 3 == 0)
            options.limit = [&](std::string_view path) {
                return options.max_tokens - std::min(options.max_tokens, path.size() / 4);
            };
        const TokenCounter& count = random() % 2 == 0 ? kWords : kBytes;
        INFO("round " << round << " kind " << name_of(kind) << " limit " << options.max_tokens << " overlap "
                      << options.overlap_tokens << " chunker " << static_cast<int>(options.chunker) << "\n"
                      << text);
        const auto chunks = chunk_text(text, kind, options, count);
        check_cover(text, chunks, options.overlap_tokens > 0);
        for (const Chunk& chunk : chunks) {
            std::size_t limit = options.max_tokens;
            if (options.limit) limit = std::max<std::size_t>(1, options.limit(chunk.title_path));
            if (count(text_of(text, chunk)) > limit) REQUIRE(count_code_points(text_of(text, chunk)) == 1);
        }
        const auto again = chunk_text(text, kind, options, count);
        REQUIRE(again.size() == chunks.size());
        for (std::size_t i = 0; i < chunks.size(); ++i) {
            REQUIRE(again[i].start == chunks[i].start);
            REQUIRE(again[i].stop == chunks[i].stop);
            REQUIRE(again[i].title_path == chunks[i].title_path);
        }
    }
}

TEST_CASE("chunks end at sentences, and at paragraphs where they fit") {
    const std::string text = "One two three. Four five six. Seven eight nine.";
    auto chunks = chunk_prose(text, {7, 0}, kWords);
    REQUIRE(chunks.size() == 2);
    CHECK(text_of(text, chunks[0]) == "One two three. Four five six.");
    CHECK(text_of(text, chunks[1]) == "Seven eight nine.");
    CHECK(chunks[0].parent_stop == chunks[0].stop);
    CHECK(chunks[0].title_path.empty());

    const std::string paragraphs = "A b c d e f.\n\nG h i. J k l.\n\nM n.";
    chunks = chunk_prose(paragraphs, {10, 0}, kWords);
    REQUIRE(chunks.size() == 2);
    CHECK(text_of(paragraphs, chunks[1]) == "G h i. J k l.\n\nM n.");

    chunks = chunk_prose(text, {7, 3}, kWords);  // with overlap still whole sentences at the end
    REQUIRE(chunks.size() >= 2);
    CHECK(text_of(text, chunks[0]) == "One two three. Four five six.");
    CHECK(text_of(text, chunks[1]) == "Four five six. Seven eight nine.");

    const std::string chinese = "\u4eca\u5929\u5929\u6c14\u597d\u3002\u660e\u5929\u4e0b\u96e8\u3002";
    const TokenCounter points = [](std::string_view part) { return count_code_points(part); };
    chunks = chunk_prose(chinese, {7, 0}, points);
    REQUIRE(chunks.size() == 2);
    CHECK(text_of(chinese, chunks[1]) == "\u660e\u5929\u4e0b\u96e8\u3002");
}

TEST_CASE("the chunker of tokens fills chunks with words") {
    const std::string text = "One two three. Four five six. Seven eight nine.";
    ChunkOptions options{4, 1, ChunkerKind::kTokens};
    const auto chunks = chunk_prose(text, options, kWords);
    REQUIRE(chunks.size() == 3);
    CHECK(text_of(text, chunks[0]) == "One two three. Four");
    CHECK(text_of(text, chunks[1]) == "Four five six. Seven");
    CHECK(text_of(text, chunks[2]) == "Seven eight nine.");
}

TEST_CASE("a word longer than a chunk is cut between code points") {
    const TokenCounter points = [](std::string_view text) { return count_code_points(text); };
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "\u00e9";
    const auto chunks = chunk_prose(text, {64, 0}, points);
    check_cover(text, chunks, false);
    CHECK(chunks.size() <= 32);
    CHECK(chunk_prose("", {5, 0}, points).empty());
    CHECK(chunk_prose(" \n ", {5, 0}, points).empty());
}

TEST_CASE("impossible chunk options are refused") {
    CHECK_THROWS_WITH(chunk_prose("a", {0, 0}, kWords), Catch::Contains("max_tokens is 0"));
    CHECK_THROWS_WITH(chunk_prose("a", {5, 5}, kWords), Catch::Contains("overlap_tokens is 5"));
}

// What would be quadratic would count (or, for outlines, take) a thousand times as much.
TEST_CASE("the counter sees a megabyte a fixed number of times, whatever it is made of") {
    for (const char* piece : {"plain words without any end ",
                              "Sentence of words. ",
                              "\u4e2d\u6587\u53e5\u5b50\u3002",
                              "unbroken",
                              "\n",
                              "# a\n",
                              "## b\n# a\n",
                              "====\nA\n====\n",
                              "{",
                              "void f() {\n",
                              "'",
                              "\"",
                              "`",
                              "def f():\n",
                              " def f():\n",
                              "- \n",
                              "```\n",
                              "(",
                              "/* ",
                              "class A {",
                              "@a\n",
                              "<"}) {
        std::string text;
        while (text.size() < (1u << 20)) text += piece;
        std::size_t counted = 0;
        const TokenCounter count = [&counted](std::string_view part) {
            counted += part.size();
            return part.size() / 4 + 1;
        };
        for (std::uint32_t kind = 0; kind < kTextKinds; ++kind) {
            counted = 0;
            const auto chunks = chunk_text(text, static_cast<TextKind>(kind), {200, kind % 2 == 0 ? 0u : 40u}, count);
            INFO(piece << " as " << name_of(static_cast<TextKind>(kind)));
            CHECK(chunks.empty() == (std::string_view(piece) == "\n"));
            CHECK(counted < 24 * text.size());
        }
    }
}
