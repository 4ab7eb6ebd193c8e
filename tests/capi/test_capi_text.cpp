// Reading, cleaning and cutting texts from outside, and an engine that is fed with what was read.
#include <rag/rag.hpp>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace {

std::string words(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "word" + std::to_string(i % 50) + (i % 10 == 9 ? ". " : " ");
    return text;
}

}  // namespace

TEST_CASE("documents of bytes, with what they say about themselves") {
    const std::string page = "<html lang=de><title>T</title><h1>H</h1><p>Text.</p></html>";
    auto reader = rag::Reader::of_bytes(page, "dir/a.html");
    const auto document = reader.next();
    REQUIRE(document);
    CHECK(document->id == "a.html");
    CHECK(document->title == "T");
    CHECK(document->text == "# H\n\nText.");
    CHECK(document->language == "de");
    CHECK(document->source == "dir/a.html");
    CHECK(document->kind == rag::TextKind::kHtml);
    CHECK_FALSE(reader.next());

    rag::ReadOptions options;
    options.text_field = "body";
    options.delimiter = ';';
    auto moved = rag::Reader::of_bytes("body;n\nfirst;1\n;2\nthird;3;4\nfourth;4\n", "t.csv", options);
    rag::Reader rows = std::move(moved);
    CHECK(rows.next()->metadata == "{\"n\":\"1\"}");
    CHECK_THROWS_WITH(rows.next(), Catch::Contains("row 3 has 3 fields"));
    CHECK(rows.blank_count() == 1);
    CHECK(rows.next()->text == "fourth");
    CHECK_FALSE(rows.next());
    CHECK(rag::Reader::formats().size() > 20);
}

TEST_CASE("a reader's callback that throws or stops") {
    rag::ReadOptions options;
    options.progress = [](std::uint64_t, std::uint64_t) -> bool { throw std::runtime_error("mine"); };
    auto thrown = rag::Reader::of_bytes("{\"text\":\"a\"}", "a.jsonl", options);
    CHECK_THROWS_WITH(thrown.next(), "mine");
    options.progress = [](std::uint64_t, std::uint64_t) { return false; };
    auto stopped = rag::Reader::of_bytes("{\"text\":\"a\"}", "a.jsonl", options);
    CHECK_THROWS_AS(stopped.next(), rag::Stopped);
}

TEST_CASE("wrong arguments are refused by name, and out parameters are cleared") {
    rag_reader* reader = reinterpret_cast<rag_reader*>(8);
    CHECK(rag_reader_open_bytes(nullptr, 3, {"a.txt", 5}, nullptr, &reader) == RAG_INVALID_ARGUMENT);
    CHECK(reader == nullptr);
    CHECK(rag_reader_open({"/nowhere/a.txt", 14}, nullptr, &reader) == RAG_NOT_FOUND);
    CHECK(rag_reader_open_bytes("a", 1, {"a.bin", 5}, nullptr, &reader) == RAG_UNSUPPORTED);
    CHECK(rag_reader_open_bytes("a", 1, {"a.txt", 5}, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    rag_read_document document = RAG_READ_DOCUMENT_INIT;
    CHECK(rag_reader_next(nullptr, &document) == RAG_INVALID_ARGUMENT);
    rag_read_options options = RAG_READ_OPTIONS_INIT;
    options.keep = 8;
    CHECK(rag_reader_open_bytes("a", 1, {"a.txt", 5}, &options, &reader) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("keep is 8") != std::string::npos);
    rag_string* cleaned = nullptr;
    CHECK(rag_text_clean({"\xff", 1}, 0, nullptr, nullptr, &cleaned) == RAG_INVALID_ARGUMENT);
    rag_chunks* chunks = nullptr;
    rag_chunk_options wrong = RAG_CHUNK_OPTIONS_INIT;
    wrong.kind = 99;
    CHECK(rag_text_chunk({"a", 1}, &wrong, &chunks) == RAG_INVALID_ARGUMENT);
    wrong = RAG_CHUNK_OPTIONS_INIT;
    wrong.chunker = 3;
    CHECK(rag_text_chunk({"a", 1}, &wrong, &chunks) == RAG_INVALID_ARGUMENT);
    CHECK(chunks == nullptr);
    CHECK(rag_chunks_count(nullptr) == 0);
    rag_chunks_free(nullptr);
    rag_reader_free(nullptr);
    CHECK(rag_reader_blank_count(nullptr) == 0);
    rag_chunk chunk = RAG_CHUNK_INIT;
    CHECK(rag_chunks_at(nullptr, 0, &chunk) == RAG_INVALID_ARGUMENT);
}

TEST_CASE("cleaning and chunks") {
    CHECK(rag::clean("a\r\nb \x01") == "a\nb");
    CHECK(rag::clean("a\r\nb \x01", {false, false, false}) == "a\r\nb \x01");
    const std::string text = "# A\n\n## B\n\n" + words(150) + "\n\n## C\n\n" + words(60);
    rag::ChunkOptions options;
    options.kind = rag::TextKind::kMarkdown;
    options.max_tokens = 100;
    const auto chunks = rag::chunk(text, options);
    REQUIRE(chunks.size() == 3);
    CHECK(chunks[1].title_path == "A > B");
    CHECK(chunks[1].parent_start == text.find("## B"));
    CHECK(chunks[2].title_path == "A > C");
    CHECK_THROWS_AS(rag::chunk(words(2000000), options, [](std::uint64_t, std::uint64_t) { return false; }), rag::Stopped);
}

TEST_CASE("an engine cuts documents by their kind and finds chunks by the headings above them") {
    rag::EngineOptions settings;
    settings.chunk_tokens = 60;
    rag::Engine engine("", settings);
    const std::string text = "# Handbook\n\n## Warranty\n\n" + words(150) + "\n\n## Delivery\n\n" + words(150);
    rag::Document document{"book", text, "Handbook", "", {}};
    document.kind = rag::TextKind::kMarkdown;
    engine.add({document});
    const auto hits = engine.search("warranty", 10);
    REQUIRE(hits.size() >= 2);  // chunks behind the first one do not hold the word themselves
    for (const rag::Hit& hit : hits) CHECK(hit.end <= text.find("## Delivery"));
    CHECK(engine.search("delivery", 10).size() >= 2);
    // Another kind is another way to cut.
    const auto before = engine.get({"book"})[0]->chunks;
    document.kind = rag::TextKind::kText;
    engine.upsert({document});
    CHECK(engine.search("warranty", 10).size() == 1);
    settings.chunker = rag::Chunker::kTokens;
    rag::Engine full("", settings);
    document.kind = rag::TextKind::kMarkdown;
    full.add({document});
    CHECK(full.get({"book"})[0]->chunks <= before);
}
