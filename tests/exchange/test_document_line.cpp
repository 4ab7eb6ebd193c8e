// Lines of an export: what is written is read back, what is no such line is refused by name, and files are read line by line.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include "core/error.hpp"
#include "exchange/document_line.hpp"
#include "exchange/line_reader.hpp"
#include "test_files.hpp"

using namespace rag::core;
using Catch::Contains;
using rag::test::TemporaryFolder;

namespace {

bool equal(const LineDocument& a, const LineDocument& b) {
    if (std::tie(a.id, a.text, a.title, a.source, a.language, a.metadata, a.created_ms, a.updated_ms) !=
        std::tie(b.id, b.text, b.title, b.source, b.language, b.metadata, b.created_ms, b.updated_ms)) {
        return false;
    }
    return std::equal(
        a.chunks.begin(), a.chunks.end(), b.chunks.begin(), b.chunks.end(), [](const LineChunk& x, const LineChunk& y) {
            const bool vectors = x.vector.size() == y.vector.size() &&
                                 (x.vector.empty() || std::memcmp(x.vector.data(), y.vector.data(), x.vector.size() * 4) == 0);
            return vectors && std::tie(x.start, x.stop, x.parent_start, x.parent_stop, x.title_path, x.given) ==
                                  std::tie(y.start, y.stop, y.parent_start, y.parent_stop, y.title_path, y.given);
        });
}

std::string random_text(std::mt19937& random) {
    static const char* const kPieces[] = {"a", "\"", "\\", "\n", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", "\x01", "/", "\xc3\xa9"};
    std::string text;
    for (auto i = random() % 12; i > 0; --i) text += kPieces[random() % 9];
    if (random() % 8 == 0) text += '\0';
    return text;
}

}  // namespace

TEST_CASE("what is written is read back, to the last bit of a vector") {
    std::mt19937 random(1);
    for (int round = 0; round < 500; ++round) {
        LineDocument document;
        document.id = random_text(random);
        document.text = random_text(random);
        document.title = random_text(random);
        document.source = random_text(random);
        document.language = random_text(random);
        if (random() % 2 == 0) document.metadata = R"({"a":[1,"x",{"b":null}],"n":18446744073709551615})";
        document.created_ms = static_cast<std::int64_t>(random());
        document.updated_ms = random() % 2 == 0 ? 0 : 1795642693517;
        for (auto i = random() % 4; i > 0; --i) {
            LineChunk chunk;
            chunk.start = random() % 100;
            chunk.stop = chunk.start + random() % 100;
            chunk.parent_start = random() % 2 == 0 ? chunk.start : chunk.start / 2;
            chunk.parent_stop = chunk.stop + random() % 2;
            chunk.title_path = random_text(random);
            chunk.given = random() % 2 == 0;
            for (auto k = random() % 5; k > 0; --k) {
                const std::uint32_t bits = static_cast<std::uint32_t>(random());
                float value = 0;
                std::memcpy(&value, &bits, 4);
                chunk.vector.push_back(value);
            }
            document.chunks.push_back(chunk);
        }
        const std::string line = write_line(document);
        INFO(line);
        CHECK(line.find('\n') == std::string::npos);
        CHECK(equal(std::get<LineDocument>(parse_line(line)), document));
    }
    const auto header = std::get<LineHeader>(parse_line(write_line(LineHeader{384, "print", "name \"x\""})));
    CHECK(header.dimension == 384);
    CHECK(header.embedder == "print");
    CHECK(header.embedder_name == "name \"x\"");
}

TEST_CASE("links are written and read back, to the last bit of a weight") {
    std::mt19937 random(2);
    for (int round = 0; round < 500; ++round) {
        LineLink link;
        link.source = "s" + random_text(random);
        link.target = "t" + random_text(random);
        link.source_chunk = random() % 2 == 0 ? LineLink::kWhole : static_cast<std::int64_t>(random() % 1000);
        link.target_chunk = random() % 2 == 0 ? LineLink::kWhole : static_cast<std::int64_t>(random() % 1000);
        link.type = random_text(random);
        link.weight = std::ldexp(1 + static_cast<double>(random()) / 4294967296.0, static_cast<int>(random() % 200) - 100);
        const std::string line = write_line(link);
        INFO(line);
        CHECK(line.find('\n') == std::string::npos);
        const auto read = std::get<LineLink>(parse_line(line));
        CHECK(std::tie(read.source, read.target, read.source_chunk, read.target_chunk, read.type, read.weight) ==
              std::tie(link.source, link.target, link.source_chunk, link.target_chunk, link.type, link.weight));
    }
    const auto plain = std::get<LineLink>(parse_line(R"({"link":{"source":"a","target":"b"}})"));
    CHECK(plain.weight == 1);
    CHECK(plain.source_chunk == LineLink::kWhole);
    // Without links a header says what older readers know.
    CHECK(write_line(LineHeader{}) == R"({"librag_export":1})");
    LineHeader header;
    header.links = true;
    CHECK(write_line(header) == R"({"librag_export":2})");
    CHECK(std::get<LineHeader>(parse_line(write_line(header))).links);
    header.metric = "ip";
    CHECK(write_line(header) == R"({"librag_export":3,"metric":"ip"})");
    CHECK(std::get<LineHeader>(parse_line(write_line(header))).metric == "ip");
    CHECK(std::get<LineHeader>(parse_line(R"({"librag_export":2})")).metric.empty());
}

TEST_CASE("what is no line of an export is refused, and says why") {
    const auto refused = [](const std::string& line, const std::string& why, Code code = Code::kInvalidArgument) {
        INFO(line.substr(0, 200));
        try {
            parse_line(line);
            FAIL("was taken");
        } catch (const Error& error) {
            CHECK(error.code() == code);
            CHECK_THAT(error.what(), Contains(why));
        }
    };
    refused("", "not JSON");
    refused("7", "no JSON object");
    refused("{}", "no text");
    refused(R"({"text":null})", "no text");
    refused(R"({"text":["x"]})", "no text");
    refused(R"({"text":"x","id":7})", "\"id\"");
    refused(R"({"text":"x","created_ms":1.5})", "created_ms");
    refused(R"({"text":"x","created_ms":18446744073709551615})", "at most");
    refused(R"({"text":"x","colour":0,"title":"t"})", "the key \"colour\", which is unknown");
    refused(R"({"text":"x","chunks":{}})", "no list");
    refused(R"({"text":"x","chunks":[7]})", "chunk 0 is no JSON object");
    refused(R"({"text":"x","chunks":[{},{"start":-1}]})", "chunk 1 has -1");
    refused(R"({"text":"x","chunks":[{"vector":"AAAA"}]})", "base64");
    refused(R"({"text":"x","chunks":[{"vector":"*"}]})", "base64");
    refused(R"({"text":"x","chunks":[{"vector":")" + std::string(65538 / 3 * 16, 'A') + "\"}]}", "at most 65536");
    refused(R"({"librag_export":4})", "newer", Code::kVersion);
    refused(R"({"librag_export":0})", "version 0");
    refused(R"({"librag_export":1,"text":"x"})", "unknown");
    refused("{\"text\":\"\xff\"}", "not JSON");
    refused(R"({"link":null})", "null");
    refused(R"({"link":7})", "the link is no JSON object");
    refused(R"({"link":{"source":"a"}})", "no \"target\"");
    refused(R"({"link":{"source":"","target":"b"}})", "no \"source\"");
    refused(R"({"link":{"source":"a","target":"b","weight":0}})", "weight 0");
    refused(R"({"link":{"source":"a","target":"b","weight":"1"}})", "a number in \"weight\"");
    refused(R"({"link":{"source":"a","target":"b","source_chunk":-1}})", "cannot be negative");
    refused(R"({"link":{"source":"a","target":"b","source_chunk":0.5}})", "an integer");
    refused(R"({"link":{"source":"a","target":"b","kind":"x"}})", "unknown");
    refused(R"({"link":{"source":"a","target":"b"},"text":"x"})", "unknown");
    LineDocument damaged;
    damaged.text = "\xff";
    CHECK_THROWS_WITH(write_line(damaged), Contains("UTF-8"));
}

TEST_CASE("metadata may be as deep in an export as by itself") {
    std::string deep = "1";
    for (int i = 0; i < 31; ++i) deep = "[" + deep + "]";
    const std::string line = R"({"text":"x","metadata":{"a":)" + deep + "}}";
    CHECK(std::get<LineDocument>(parse_line(line)).metadata == "{\"a\":" + deep + "}");
}

TEST_CASE("a file is read line by line") {
    TemporaryFolder folder;
    const auto lines_of = [&](const std::string& content, std::size_t limit = 100) {
        std::ofstream(folder / "f", std::ios::binary) << content;
        LineReader reader(folder / "f");
        std::vector<std::pair<std::uint64_t, std::string>> out;
        for (std::string_view line; reader.next(line, limit);) out.emplace_back(reader.number(), line);
        CHECK(reader.done() == content.size());
        CHECK(reader.total() == content.size());
        return out;
    };
    using Lines = std::vector<std::pair<std::uint64_t, std::string>>;
    CHECK(lines_of("") == Lines{});
    CHECK(lines_of("\n\n") == Lines{});
    CHECK(lines_of("a") == Lines{{1, "a"}});
    CHECK(lines_of("\xef\xbb\xbf"
                   "a\r\n\n \t\nb\n") == Lines{{1, "a"}, {4, "b"}});
    // Lines across the blocks that are read at a time.
    std::string large;
    Lines expected;
    for (std::uint64_t i = 1; i <= 400; ++i) {
        const std::string line(static_cast<std::size_t>(i * 37 % 9000 + 1), static_cast<char>('a' + i % 26));
        large += line + "\n";
        expected.emplace_back(i, line);
    }
    REQUIRE(large.size() > (1U << 20));
    CHECK(lines_of(large, 10000) == expected);

    std::ofstream(folder / "long") << "short\n" << std::string(3 << 20, 'x');
    LineReader reader(folder / "long");
    std::string_view line;
    CHECK(reader.next(line, 1000));
    CHECK_THROWS_WITH(reader.next(line, 1000), Contains("line 2") && Contains("more than 1000 bytes"));
    CHECK_THROWS_WITH(LineReader(folder.path()), Contains("folder"));
    CHECK_THROWS_WITH(LineReader(folder / "missing"), Contains("missing"));
}
