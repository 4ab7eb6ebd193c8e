// An upsert touches what changed and nothing else: chunks that are the same keep their keys, and with them vectors and postings.
#include <sqlite3.h>

#include <map>
#include <set>

#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

/// Text of each chunk of a document by key.
std::map<std::int64_t, std::string> chunks_of(const std::filesystem::path& folder, const std::string& id) {
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open((folder / "knowledge.sqlite3").c_str(), &handle) == SQLITE_OK);
    sqlite3_stmt* rows = nullptr;
    REQUIRE(
        sqlite3_prepare_v2(handle,
                           "SELECT c.key, substr(CAST(d.text AS BLOB), start + 1, stop - start) FROM chunks c JOIN documents d "
                           "ON d.key=c.document WHERE d.id=?",
                           -1, &rows, nullptr) == SQLITE_OK);
    sqlite3_bind_text(rows, 1, id.c_str(), -1, SQLITE_STATIC);
    std::map<std::int64_t, std::string> out;
    while (sqlite3_step(rows) == SQLITE_ROW) {
        out[sqlite3_column_int64(rows, 0)] = std::string(static_cast<const char*>(sqlite3_column_blob(rows, 1)),
                                                         static_cast<std::size_t>(sqlite3_column_bytes(rows, 1)));
    }
    sqlite3_finalize(rows);
    sqlite3_close(handle);
    return out;
}

/// Too long for two of them to be one chunk of 200 words.
std::string paragraph(const std::string& mark) {
    std::string text;
    for (int i = 0; i < 120; ++i) text += mark + std::to_string(i) + " ";
    return text + "\n\n";
}

std::set<std::int64_t> shared_keys(const std::map<std::int64_t, std::string>& a, const std::map<std::int64_t, std::string>& b) {
    std::set<std::int64_t> keys;
    for (const auto& [key, text] : a) {
        if (!b.contains(key)) continue;
        CHECK(b.at(key) == text);
        keys.insert(key);
    }
    return keys;
}

}  // namespace

TEST_CASE("chunks that did not change keep their keys, wherever they move") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    Document document;
    document.id = "d";
    document.title = "Title";
    document.text = paragraph("a") + paragraph("b") + paragraph("c") + paragraph("d");
    add(*engine, {document});
    const auto first = chunks_of(folder / "kb", "d");
    REQUIRE(first.size() == 4);

    SECTION("moved, one taken out, one put in") {
        document.text = paragraph("d") + paragraph("new") + paragraph("a") + paragraph("c");
        upsert(*engine, {document});
        const auto second = chunks_of(folder / "kb", "d");
        CHECK(second.size() == 4);
        CHECK(shared_keys(first, second).size() == 3);
        CHECK(search_text(*engine, "d7").front().id == "d#0");
        CHECK(search_text(*engine, "new7").front().id == "d#1");
        CHECK(search_text(*engine, "c7").front().id == "d#3");
        CHECK(search_text(*engine, "b7").empty());
    }
    SECTION("the same chunk twice, then once") {
        document.text = paragraph("a") + paragraph("a") + paragraph("b");
        upsert(*engine, {document});
        const auto second = chunks_of(folder / "kb", "d");
        CHECK(shared_keys(first, second).size() == 2);
        CHECK(search_text(*engine, "a7").size() == 2);
        document.text = paragraph("a");
        upsert(*engine, {document});
        CHECK(shared_keys(second, chunks_of(folder / "kb", "d")).size() == 1);
        CHECK(search_text(*engine, "a7").size() == 1);
    }
    SECTION("another title changes every chunk") {
        document.title = "Other";
        upsert(*engine, {document});
        CHECK(shared_keys(first, chunks_of(folder / "kb", "d")).empty());
        CHECK(search_text(*engine, "title").empty());
        CHECK(search_text(*engine, "other").size() == 4);
    }
    SECTION("metadata, source and language change none") {
        auto input = document.input();
        std::vector<std::string> ids;
        input.metadata = R"({"a":1})";
        input.source = "https://example.org/d";
        input.language = "en";
        engine->upsert(std::vector{input}, {}, ids);
        CHECK(shared_keys(first, chunks_of(folder / "kb", "d")).size() == 4);
        const auto stored = get(*engine, "d");
        CHECK(stored->metadata == R"({"a":1})");
        CHECK(stored->source == "https://example.org/d");
        CHECK(stored->language == "en");
        input.source = {};
        engine->upsert(std::vector{input}, {}, ids);
        CHECK(get(*engine, "d")->source.empty());
    }
    SECTION("a given vector replaces all of them, and another vector replaces that") {
        document.vector = vector_of(1);
        upsert(*engine, {document});
        const auto second = chunks_of(folder / "kb", "d");
        CHECK(second.size() == 1);
        CHECK(shared_keys(first, second).empty());
        document.vector = vector_of(2);
        upsert(*engine, {document});
        CHECK(shared_keys(second, chunks_of(folder / "kb", "d")).empty());
        CHECK(search_vector(*engine, vector_of(2), 1).front().score > 0.999F);
    }
    CHECK(engine->verify().ok);
    engine.reset();
    CHECK(open_engine(folder / "kb")->verify().ok);
}

TEST_CASE("random upserts end in what a fresh knowledge base of the same documents holds") {
    std::mt19937 random(11);
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    std::map<std::string, Document> model;
    for (int step = 0; step < 120; ++step) {
        Document document;
        document.id = "d" + std::to_string(random() % 6);
        document.title = random() % 4 == 0 ? "Other" : "Title";
        for (unsigned i = 0; i < 1 + random() % 5; ++i)
            document.text += paragraph(std::string(1, static_cast<char>('a' + random() % 4)));
        document.metadata = "{\"v\":" + std::to_string(random() % 3) + "}";
        if (random() % 8 == 0) {
            remove(*engine, {document.id});
            model.erase(document.id);
        } else {
            upsert(*engine, {document});
            model[document.id] = document;
        }
    }
    auto fresh = open_engine();
    for (const auto& [id, document] : model) add(*fresh, {document});
    CHECK(engine->count() == model.size());
    for (const auto& [id, document] : model) CHECK(get(*engine, id)->text == document.text);
    for (const char* word : {"a7", "b7", "c7", "d7", "title", "other"}) {
        const auto ids_of = [&](const Engine& searched) {
            std::set<std::pair<std::string, float>> ids;
            for (const auto& hit : search_text(searched, word, 100)) ids.emplace(hit.id, hit.score);
            return ids;
        };
        CHECK(ids_of(*engine) == ids_of(*fresh));
    }
    CHECK(engine->verify().ok);
}
