// Rows: JSON, JSON lines and tables. Which field becomes what, what RFC 4180 asks for, and errors that leave the other rows.
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "read_bytes.hpp"

using namespace rag::core;

namespace {

/// What one pass gives: "id|title|text|metadata" or "! error", in order.
std::vector<std::string> rows_of(std::string_view bytes, const std::string& name, ReadOptions options = {}) {
    const auto reader = DocumentReader::open_bytes(bytes, name, std::move(options));
    std::vector<std::string> out;
    ReadDocument d;
    for (;;) {
        try {
            if (!reader->next(d)) return out;
            out.push_back(d.id + "|" + d.title + "|" + d.text + "|" + d.metadata);
        } catch (const Error& error) {
            out.push_back(std::string("! ") + error.what());
            if (out.size() > 100) return out;
        }
    }
}
using Rows = std::vector<std::string>;

}  // namespace

TEST_CASE("objects of JSON by their members") {
    CHECK(
        rows_of(
            R"([{"id": "a", "title": "T", "text": "x", "n": [1, {"m": null}], "s": "\"\u4e2d\n"}, "alone", {"_id": 7, "text": "y"}])",
            "f.json") == Rows{"a|T|x|{\"n\":[1,{\"m\":null}],\"s\":\"\\\"\u4e2d\\n\"}", "f.json:2||alone|{}", "7||y|{}"});
    CHECK(rows_of(R"({"question": "q?", "answer": "a.", "n": 1.50, "none": null})", "f.json") ==
          Rows{"f.json:1||question: q?\nanswer: a.\nn: 1.5|{\"question\":\"q?\",\"answer\":\"a.\",\"n\":1.5,\"none\":null}"});
    CHECK(rows_of(R"([{"body": "b", "name": "n", "key": "k"}])", "f.json",
                  {.text_field = "body", .title_field = "name", .id_field = "key"}) == Rows{"k|n|b|{}"});
    CHECK(rows_of(R"([1, {"a": 1}, {"text": " "}, {"text": "z"}])", "f.json", {.text_field = "text"}) ==
          Rows{"! \"f.json\", row 1 is neither an object nor a text", "! \"f.json\", row 2 has no field \"text\"",
               "f.json:4||z|{}"});
    CHECK(rows_of("[{\"text\": \"a\"},, ]", "f.json") == Rows{rows_of("[{\"text\": \"a\"},, ]", "f.json")[0]});
    CHECK(rows_of("[{\"text\": \"a\"},, ]", "f.json")[0] == "! \"f.json\" is no JSON at byte 16, before \" ]\"");
    CHECK(rows_of("[{\"text\": \"a\", \"n\": 123456789012345678901234567890}]", "f.json")[0] ==
          "! \"f.json\" is JSON with an integer that is wider than 64 bits: it must be a string");
    CHECK(rows_of("{\"text\": \"a\", \"n\": 1, \"n\": 2}\n{\"text\": \"b\"}\n", "f.jsonl") ==
          Rows{"! \"f.jsonl\", row 1 has the key \"n\" twice", "f.jsonl:2||b|{}"});
}

TEST_CASE("lines of JSON, each by itself") {
    CHECK(rows_of("{\"text\":\"a\"}\r\n\n{\"text\":\"b\"\n\"c\"", "f.jsonl") ==
          Rows{"f.jsonl:1||a|{}", rows_of("\n\n{\"text\":\"b\"\n\"c\"", "f.jsonl")[0], "f.jsonl:4||c|{}"});
    CHECK(rows_of("{\"text\":\"b\"", "f.jsonl")[0].starts_with("! \"f.jsonl\", row 1 is no JSON at byte"));
    CHECK(rows_of("{\"text\":\"" + std::string(1 << 20, 'x') + "\"}\n", "f.jsonl").size() == 1);
    CHECK(rows_of(std::string(2000, '[') + "\n\"a\"", "f.jsonl").size() == 2);
    const auto reader = DocumentReader::open_bytes("{\"text\":\"\"}\n{\"text\":null}\n", "f.jsonl", {});
    ReadDocument document;
    CHECK_FALSE(reader->next(document));
    CHECK(reader->blank() == 2);
}

TEST_CASE("tables by RFC 4180") {
    CHECK(rows_of("id,title,text,lang\r\n1,\"a,b\",\"say \"\"hi\"\"\r\ntwo\",en\r\n\r\n2,,plain \"quote\",\u4e2d\r\n", "f.csv") ==
          Rows{"1|a,b|say \"hi\"\ntwo|{\"lang\":\"en\"}", "2||plain \"quote\"|{\"lang\":\"\u4e2d\"}"});
    CHECK(rows_of("text;n\na,b;1\n", "f.csv") == Rows{"f.csv:1||a,b|{\"n\":\"1\"}"});
    CHECK(rows_of("text\tn\na\t1\r", "f.tsv") == Rows{"f.tsv:1||a|{\"n\":\"1\"}"});
    CHECK(rows_of("text|n\na|1", "f.csv", {.delimiter = '|'}) == Rows{"f.csv:1||a|{\"n\":\"1\"}"});
    CHECK(rows_of("q,a,\nx,y,z\n", "f.csv") == Rows{"f.csv:1||q: x\na: y|{\"q\":\"x\",\"a\":\"y\"}"});
    CHECK(rows_of("text,a\nx\n", "f.csv") == Rows{"f.csv:1||x|{}"});
    CHECK(rows_of("text,a\nx,1,2\n\"y\"z,1\nw,1\n", "f.csv") ==
          Rows{"! \"f.csv\", row 1 has 3 fields, the table has 2 columns",
               "! \"f.csv\", row 2: text behind the closing quote of a field", "f.csv:3||w|{\"a\":\"1\"}"});
    CHECK(rows_of("text\n\"open\nx\n", "f.csv") == Rows{"! \"f.csv\", row 1: a quote that is not closed"});
    CHECK(rows_of("a,a\nx,y\n", "f.csv") == Rows{"! \"f.csv\" has two columns \"a\""});
    CHECK(rows_of("a,b\nx,y\n", "f.csv", {.text_field = "c"}) == Rows{"! \"f.csv\" has no column \"c\", it has \"a\", \"b\""});
    CHECK_THROWS_WITH(rows_of("a", "f.csv", {.delimiter = '"'}), Catch::Contains("delimiter"));
    CHECK(rows_of("text\n" + std::string(5000, ',') + "\nx\n", "f.csv").size() == 2);
}

TEST_CASE("tables written by the rules come back as they were, wherever blocks end") {
    std::mt19937 random(3);
    const std::vector<std::string> parts{"a", "\"", ",", "\n", "\r\n", " ", "\u4e2d", "word", "\t"};
    for (int round = 0; round < 200; ++round) {
        std::string table = "text,b\n";
        std::vector<std::string> texts;
        // Beyond one block in some rounds.
        const std::size_t rows = round % 50 == 0 ? 20000 : random() % 20;
        for (std::size_t row = 0; row < rows; ++row) {
            std::string text = "x";
            for (std::size_t i = random() % 12; i > 0; --i) text += parts[random() % parts.size()];
            text += ".";
            texts.push_back(text);
            std::string quoted = "\"";
            for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
            table += quoted + "\",\"" + std::to_string(row) + (random() % 2 == 0 ? "\"\n" : "\"\r\n");
        }
        const auto documents = read_bytes(table, "f.csv", {.clean = false});
        REQUIRE(documents.size() == texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) REQUIRE(documents[i].text == texts[i]);
    }
}
