// rag::Engine from outside: a knowledge base in memory and in a folder, stops that keep whole batches, callbacks that throw.
#include <algorithm>
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
    REQUIRE(rag_engine_get(engine.handle(), &id, 1, nullptr, nullptr, &found) == RAG_OK);
    rag_document_view view = RAG_DOCUMENT_VIEW_INIT;
    view.struct_size = offsetof(rag_document_view, source);
    view.source = {"untouched", 9};
    CHECK(rag_documents_at(found, 0, &view) == RAG_OK);
    CHECK(view.chunks == 1);
    CHECK(view.source.size == 9);
    rag_documents_free(found);
    // Of one document nobody is asked, of several the caller may stop.
    const auto stop = [](std::uint64_t, std::uint64_t, void*) { return 7; };
    const rag_text both[] = {{"a", 1}, {"b", 1}};
    CHECK(rag_engine_get(engine.handle(), both, 2, stop, nullptr, &found) == RAG_STOPPED);
    CHECK(rag_stop_value() == 7);
    CHECK(found == nullptr);
    CHECK(engine.get({"a"}, [](std::uint64_t, std::uint64_t) { return false; }).size() == 1);
    CHECK_THROWS_AS(engine.get({"a", "b"}, [](std::uint64_t, std::uint64_t) { return false; }), rag::Error);
    std::uint64_t asked = 0;
    CHECK(
        engine.get({"b", "a", "nobody"}, [&](std::uint64_t, std::uint64_t total) { return ++asked > 0 && total <= 3; }).size() ==
        3);
    CHECK(asked > 0);

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

TEST_CASE("Pages, groups, context, links and batches reach C++ users") {
    rag::Engine engine;
    auto documents = numbered(30);
    documents.push_back({"linked", "other words altogether", "", "", {}});
    engine.add(documents);
    rag::Query query;
    query.text = "text number";
    query.k = 4;
    query.explain = true;
    const auto first = engine.search(query);
    query.offset = 2;
    const auto second = engine.search(query);
    REQUIRE(first.size() == 4);
    CHECK(first[2].id == second[0].id);
    query.offset = 0;
    query.group_hits = 1;
    query.expand = rag::Expand::kNeighbours;
    query.diversity = 0.2F;
    const auto hits = engine.search(query);
    REQUIRE(hits.size() == 4);
    CHECK(hits[0].context == hits[0].text);
    CHECK(hits[0].explain.find("diversity") != std::string::npos);

    engine.link({{first[0].doc_id, "linked", "see", 2.0}});
    const auto links = engine.links({"linked"});
    REQUIRE(links.size() == 1);
    CHECK(links[0].source == first[0].doc_id);
    CHECK(links[0].type == "see");
    CHECK(links[0].weight == 2.0);
    rag::Query walk;
    walk.text = "text number";
    walk.k = 40;
    walk.link_weight = 0.3F;
    std::vector<rag::Query> queries = {query, walk};
    int calls = 0;
    const auto batch = engine.search(queries, 2, [&](std::uint64_t, std::uint64_t) { return ++calls > 0; });
    REQUIRE(batch.size() == 2);
    CHECK(batch[0].size() == 4);
    CHECK(calls > 0);
    const auto has_linked = [](const std::vector<rag::Hit>& found) {
        return std::any_of(found.begin(), found.end(), [](const rag::Hit& hit) { return hit.doc_id == "linked"; });
    };
    CHECK(has_linked(batch[1]));
    CHECK(engine.unlink({{first[0].doc_id, "linked", "", 1.0}}) == 1);
    CHECK_FALSE(has_linked(engine.search(walk)));
    try {
        engine.link({{"d0", "nobody", "", 1.0}});
        FAIL("a link to nobody");
    } catch (const rag::Error& error) {
        CHECK(error.code() == RAG_NOT_FOUND);
    }
}

TEST_CASE("Operators, highlights and the settings of BM25 reach C++ users") {
    rag::EngineOptions options;
    options.bm25 = rag::Bm25IndexOptions();
    options.bm25->positions = true;
    options.bm25->k1 = 0.5F;
    rag::Engine engine("", options);
    engine.add({{"a", "A quick brown fox.", "", "", {}}, {"b", "A brown dog and a fox.", "", "", {}}});
    rag::Query query;
    query.text = "\"brown fox\" -dog";
    query.syntax = rag::Bm25Syntax::kLanguage;
    query.highlight = true;
    const auto hits = engine.search(query);
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].doc_id == "a");
    REQUIRE(hits[0].highlights.size() == 1);
    CHECK(hits[0].text.substr(hits[0].highlights[0].first, hits[0].highlights[0].second - hits[0].highlights[0].first) ==
          "brown fox");
    CHECK(engine.stats().find("\"k1\":0.5") != std::string::npos);
    query.syntax = static_cast<rag::Bm25Syntax>(9);
    CHECK_THROWS_AS(engine.search(query), rag::Error);
    options.bm25->b = 7;
    CHECK_THROWS_WITH(rag::Engine("", options), Catch::Contains("b is 7"));
}

TEST_CASE("Arrays of queries and links are checked") {
    rag::Engine engine;
    engine.add(numbered(3));
    rag_hits* hits[2] = {reinterpret_cast<rag_hits*>(&engine), nullptr};
    rag_query queries[2] = {RAG_QUERY_INIT, RAG_QUERY_INIT};
    queries[0].text = rag_text{"text", 4};
    CHECK(rag_engine_search_batch(engine.handle(), queries, 2, nullptr, hits) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("query 1") != std::string::npos);
    CHECK(hits[0] == nullptr);
    queries[1].text = rag_text{"number", 6};
    queries[1].struct_size = 8;
    CHECK(rag_engine_search_batch(engine.handle(), queries, 2, nullptr, hits) == RAG_INVALID_ARGUMENT);
    CHECK(rag_engine_search_batch(engine.handle(), queries, 2, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_engine_search_batch(engine.handle(), nullptr, 0, nullptr, nullptr) == RAG_OK);
    rag_query query = RAG_QUERY_INIT;
    query.text = rag_text{"text", 4};
    query.expand = 9;
    CHECK(rag_engine_search(engine.handle(), &query, &hits[0]) == RAG_INVALID_ARGUMENT);
    query.expand = RAG_EXPAND_NONE;
    query.fusion = 9;
    CHECK(rag_engine_search(engine.handle(), &query, &hits[0]) == RAG_INVALID_ARGUMENT);
    rag_link link = RAG_LINK_INIT;
    CHECK(rag_engine_link(engine.handle(), &link, 1) == RAG_NOT_FOUND);
    CHECK(rag_engine_link(engine.handle(), nullptr, 1) == RAG_INVALID_ARGUMENT);
    CHECK(rag_engine_links(engine.handle(), nullptr, 0, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_links_count(nullptr) == 0);
    rag_links_free(nullptr);
}
