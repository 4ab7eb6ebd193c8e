// rag::Engine from outside: a knowledge base in memory and in a folder, stops that keep whole batches, callbacks that throw.
#include <rag/rag.hpp>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "test_files.hpp"

namespace {

std::vector<rag::Document> numbered(int count, const std::string& prefix = "d") {
    std::vector<rag::Document> documents;
    for (int i = 0; i < count; ++i)
        documents.push_back({prefix + std::to_string(i), "text number " + std::to_string(i), "", "", {}});
    return documents;
}

}  // namespace

TEST_CASE("a path that is empty, or a NULL with a size, is no knowledge base in memory") {
    rag_engine* engine = nullptr;
    CHECK(rag_engine_open({"", 0}, nullptr, &engine) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("path is empty") != std::string::npos);
    CHECK(rag_engine_open({nullptr, 5}, nullptr, &engine) == RAG_INVALID_ARGUMENT);
    CHECK(engine == nullptr);
}

TEST_CASE("source and language go in and come back; callers who do not know them go on") {
    rag::Engine engine;
    rag::Document document{"a", "Some text.", "", "", {}};
    document.source = "https://example.org/a";
    document.language = "zh-Hans";
    engine.add({document});
    CHECK(engine.get({"a"})[0]->source == "https://example.org/a");
    CHECK(engine.get({"a"})[0]->language == "zh-Hans");
    document.source.clear();
    engine.upsert({document});
    CHECK(engine.get({"a"})[0]->source.empty());

    rag_document older = RAG_DOCUMENT_INIT;
    older.struct_size = offsetof(rag_document, source);
    older.id = {"b", 1};
    older.text = {"text", 4};
    older.source = {nullptr, 99};  // behind what struct_size says, so nobody looks
    REQUIRE(rag_engine_add(engine.handle(), &older, 1, nullptr, nullptr) == RAG_OK);
    rag_documents* found = nullptr;
    const rag_text id = {"a", 1};
    REQUIRE(rag_engine_get(engine.handle(), &id, 1, &found) == RAG_OK);
    rag_document_view view = RAG_DOCUMENT_VIEW_INIT;
    view.struct_size = offsetof(rag_document_view, source);
    view.source = {"untouched", 9};
    CHECK(rag_documents_at(found, 0, &view) == RAG_OK);
    CHECK(view.chunks == 1);
    CHECK(view.source.size == 9);
    rag_documents_free(found);

    document.language = std::string(65, 'x');
    CHECK_THROWS_AS(engine.upsert({document}), rag::Error);
    document.language = "\xff";
    CHECK_THROWS_AS(engine.upsert({document}), rag::Error);
}

TEST_CASE("Engine in memory: add, get, search, upsert, remove, stats, verify") {
    rag::Engine engine;
    const auto ids =
        engine.add({{"a", "Goods can be returned.", "Returns", R"({"lang": "en"})", {}},
                    {"", "\xe5\x95\x86\xe5\x93\x81\xe5\x8f\xaf\xe9\x80\x80\xe8\xb4\xa7", "", R"({"lang": "zh"})", {}}});
    REQUIRE(ids.size() == 2);
    CHECK(ids[0] == "a");
    CHECK(!ids[1].empty());
    CHECK(engine.count() == 2);
    const auto stored = engine.get({"a", "nobody"});
    REQUIRE(stored[0]);
    CHECK(stored[0]->title == "Returns");
    CHECK(stored[0]->chunks == 1);
    CHECK(!stored[1]);
    const auto hits = engine.search("returned goods");
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].doc_id == "a");
    CHECK(hits[0].text == "Goods can be returned.");
    CHECK(std::isnan(hits[0].vector_score));
    CHECK(!std::isnan(hits[0].bm25_score));
    rag::Query query;
    query.text = "\xe9\x80\x80\xe8\xb4\xa7";
    query.where = R"({"lang": "zh"})";
    query.explain = true;
    const auto chinese = engine.search(query);
    REQUIRE(chinese.size() == 1);
    CHECK(chinese[0].doc_id == ids[1]);
    CHECK(!chinese[0].explain.empty());
    engine.upsert({{"a", "Nothing can be returned.", "", "", {}}});
    CHECK(engine.get({"a"})[0]->text == "Nothing can be returned.");
    CHECK(engine.remove({"a", "nobody"}) == 1);
    CHECK(engine.remove_where(R"({"lang": "zh"})") == 1);
    CHECK(engine.count() == 0);
    CHECK(engine.stats().front() == '{');
    std::string report;
    CHECK(engine.verify(&report));
    CHECK(report.find("\"problems\"") != std::string::npos);
    CHECK_THROWS_AS(engine.remove_where(""), rag::Error);
}

TEST_CASE("A stop keeps whole batches, and they are found") {
    const rag::test::TemporaryFolder folder;
    const std::string path = (folder / "kb").string();
    {
        rag::Engine engine(path);
        // Progress comes every 50 ms: enough documents that the first report comes long before the end.
        const auto stop = [](std::uint64_t, std::uint64_t) { return false; };
        CHECK_THROWS_AS(engine.add(numbered(20000), stop, 100), rag::Stopped);
        CHECK(engine.count() % 100 == 0);
        CHECK(engine.count() < 20000);
        CHECK(engine.verify());
    }
    const rag::Engine engine(path);
    CHECK(engine.verify());
}

TEST_CASE("An exception of a callback reaches the caller") {
    struct Mine {};
    rag::Engine engine;
    CHECK_THROWS_AS(engine.add(numbered(500), [](std::uint64_t, std::uint64_t) -> bool { throw Mine(); }, 50), Mine);
    CHECK(engine.verify());
}

TEST_CASE("Failures leave the knowledge base as it was") {
    rag::Engine engine;
    engine.add(numbered(3));
    const auto refused = [&](const rag::Document& document, rag_status code, const std::string& part) {
        try {
            engine.add({{"fresh", "fresh text", "", "", {}}, document});
            FAIL("accepted");
        } catch (const rag::Error& error) {
            INFO(error.what());
            CHECK(error.code() == code);
            CHECK(std::string(error.what()).find(part) != std::string::npos);
        }
        CHECK(engine.count() == 3);
    };
    refused({"d1", "again", "", "", {}}, RAG_ALREADY_EXISTS, "d1");
    refused({"fresh", "twice", "", "", {}}, RAG_ALREADY_EXISTS, "fresh");
    refused({"empty", "", "", "", {}}, RAG_INVALID_ARGUMENT, "empty");
    refused({"bad", "\xff", "", "", {}}, RAG_INVALID_ARGUMENT, "bad");
    refused({"meta", "text", "", "[1]", {}}, RAG_INVALID_ARGUMENT, "meta");
    refused({"meta", "text", "", "{", {}}, RAG_INVALID_ARGUMENT, "meta");
    refused({"nan", "text", "", "", {std::nanf(""), 1}}, RAG_INVALID_ARGUMENT, "nan");
    refused({std::string(2000, 'x'), "text", "", "", {}}, RAG_INVALID_ARGUMENT, "1024");
    CHECK(engine.verify());
}

TEST_CASE("One writer at a time, readers see its commits") {
    const rag::test::TemporaryFolder folder;
    const std::string path = (folder / "kb").string();
    rag::Engine writer(path);
    writer.add(numbered(5));
    try {
        const rag::Engine second(path);
        FAIL("two writers");
    } catch (const rag::Error& error) {
        CHECK(error.code() == RAG_BUSY);
    }
    rag::EngineOptions options;
    options.read_only = true;
    rag::Engine reader(path, options);
    CHECK(reader.count() == 5);
    writer.add(numbered(1, "later"));
    CHECK(reader.search("text number", 10).size() == 6);
    try {
        reader.add(numbered(1, "no"));
        FAIL("a reader wrote");
    } catch (const rag::Error& error) {
        CHECK(error.code() == RAG_READ_ONLY);
    }
}
