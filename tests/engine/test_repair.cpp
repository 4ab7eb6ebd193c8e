// Damage inside the database that SQLite does not see (bits of a text, a title path, a vector) or that costs one page: verify()
// lists it, an upsert of the original repairs it, export and backup do not pass it on, and what is whole can be had all the same.
#include <sqlite3.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;
namespace fs = std::filesystem;

namespace {

void run_sql(const fs::path& folder, const std::string& sql) {
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open((folder / "knowledge.sqlite3").c_str(), &handle) == SQLITE_OK);
    char* why = nullptr;
    sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &why);
    const std::string text = why == nullptr ? "" : why;
    sqlite3_free(why);
    sqlite3_close(handle);
    REQUIRE(text == "");
}

nlohmann::json verified(Engine& engine) {
    return nlohmann::json::parse(engine.verify().json);
}

std::set<std::string> exported_ids(const Engine& engine, const ExportOptions& options) {
    std::set<std::string> ids;
    engine.export_lines(
        [&](std::string_view line) {
            const auto json = nlohmann::json::parse(line);
            if (json.contains("id")) ids.insert(json["id"].get<std::string>());
        },
        options);
    return ids;
}

/// A title path needs headings.
Document with_headings() {
    Document document = numbered(100, false);
    std::string words;  // too many for both parts to be one chunk
    for (int i = 0; i < 150; ++i) words += " word" + std::to_string(i);
    document.text = "# One\n\nfirst part about marker100" + words + "\n\n# Two\n\nsecond part" + words + "\n";
    return document;
}

void upsert_markdown(Engine& engine, const Document& document) {
    DocumentInput input = document.input();
    input.kind = TextKind::kMarkdown;
    std::vector<std::string> ids;
    engine.upsert(std::span(&input, 1), {}, ids);
}

}  // namespace

TEST_CASE("damage to a document is listed, stays out of exports and backups, and is repaired by an upsert of the original") {
    TemporaryFolder folder;
    const fs::path kb = folder / "kb";
    {
        auto engine = open_engine(kb);
        add_numbered(*engine, 0, 20);
        upsert_markdown(*engine, with_headings());
    }
    const auto [id, sql] = GENERATE(table<std::string, std::string>(
        {{"doc7", "UPDATE documents SET text=replace(text, 'marker7', 'market7') WHERE id='doc7'"},
         {"doc7", "UPDATE documents SET title='x' WHERE id='doc7'"},
         {"doc7", "UPDATE documents SET hash=x'00112233445566778899aabbccddeeff' WHERE id='doc7'"},
         {"doc7", "UPDATE documents SET text_checksum=text_checksum+1 WHERE id='doc7'"},
         {"doc7", "UPDATE chunks SET stop=stop-1 WHERE document=(SELECT key FROM documents WHERE id='doc7')"},
         {"doc7",
          "UPDATE embeddings SET vector=zeroblob(96) WHERE chunk=(SELECT c.key FROM chunks c JOIN documents d ON "
          "d.key=c.document WHERE d.id='doc7')"},
         {"doc7", "UPDATE chunks SET embedded=0 WHERE document=(SELECT key FROM documents WHERE id='doc7')"},
         {"doc100", "UPDATE chunks SET title_path='Ome' WHERE title_path='One'"},
         {"doc100", "UPDATE documents SET text=replace(text, 'second', 'secund') WHERE id='doc100'"}}));
    INFO(sql);
    run_sql(kb, sql);
    auto engine = open_engine(kb);
    const auto report = verified(*engine);
    INFO(report.dump());
    REQUIRE(report["ok"] == false);
    CHECK(report["problems"][0].get<std::string>().find(id) != std::string::npos);

    auto failure = failure_of([&] { exported_ids(*engine, {}); });
    CHECK(failure.code == Code::kCorrupt);
    CHECK(failure.text.find("\"" + id + "\"") != std::string::npos);
    failure = failure_of([&] { engine->backup(folder / "backup"); });
    CHECK(failure.code == Code::kCorrupt);
    CHECK(failure.text.find("\"" + id + "\"") != std::string::npos);
    CHECK_FALSE(fs::exists(folder / "backup"));
    ExportOptions rest;
    std::set<std::string> damaged;
    rest.on_damaged = [&](std::string_view name, std::string_view problem) {
        CHECK_FALSE(problem.empty());
        damaged.emplace(name);
        return true;
    };
    CHECK(exported_ids(*engine, rest).size() == 20);
    CHECK(damaged == std::set<std::string>{id});
    rest.on_damaged = [](std::string_view, std::string_view) { return false; };
    CHECK_THROWS_AS(exported_ids(*engine, rest), Stopped);

    if (id == "doc100") {
        upsert_markdown(*engine, with_headings());
    } else {
        upsert(*engine, {numbered(7)});
    }
    const auto after = verified(*engine);
    INFO(after.dump());
    CHECK(after["ok"] == true);
    CHECK(exported_ids(*engine, {}).size() == 21);
    for (std::uint32_t n = 0; n < 20; ++n) CHECK(found_everywhere(*engine, n));
    CHECK(search_text(*engine, "marker100").size() == 1);
    CHECK(search_text(*engine, "second").size() == 1);
    engine->backup(folder / "backup");
    CHECK(open_engine(folder / "backup")->verify().ok);
    // The repaired one is the same as before: it costs nothing again.
    const auto last = engine->changes(0, 1000).last;
    if (id == "doc7") upsert(*engine, {numbered(7)});
    CHECK(engine->changes(0, 1000).last == last);
}

TEST_CASE("a page that cannot be read costs an export the documents on it and no other") {
    TemporaryFolder folder;
    const fs::path kb = folder / "kb";
    std::vector<Document> documents;
    for (std::uint32_t n = 0; n < 60; ++n) {
        documents.push_back(numbered(n, false));
        documents.back().text += std::string(900, 'z');
    }
    {
        auto engine = open_engine(kb);
        add(*engine, documents);
    }
    std::string bytes = read_file(kb / "knowledge.sqlite3");
    const auto at = bytes.find("marker30 ");
    REQUIRE(at != std::string::npos);
    bytes.replace(at - at % 4096, 4096, std::string(4096, '\0'));
    write_file(kb / "knowledge.sqlite3", bytes);
    auto engine = open_engine(kb);
    CHECK(failure_of([&] { exported_ids(*engine, {}); }).code == Code::kCorrupt);
    ExportOptions rest;
    std::set<std::string> damaged;
    rest.on_damaged = [&](std::string_view name, std::string_view) {
        damaged.emplace(name);
        return true;
    };
    const auto whole = exported_ids(*engine, rest);
    CHECK(damaged.contains("doc30"));
    CHECK(damaged.size() < 8);
    CHECK(whole.size() + damaged.size() == 60);
    const std::string report = engine->verify().json;
    for (const auto& id : damaged) CHECK(report.find("\\\"" + id + "\\\"") != std::string::npos);
}

TEST_CASE("words of the BM25 index that no stored text has are found and indexed anew") {
    TemporaryFolder folder;
    // Two bases of the same keys; the second one's file under the name that the first one lists.
    for (const std::string name : {"kb", "other"}) {
        auto engine = open_engine(folder / name);
        std::vector<Document> documents;
        for (std::uint32_t n = 0; n < 50; ++n) {
            documents.push_back(numbered(n));
            if (name == "other" && n % 10 == 3) documents.back().text = "other words of number " + std::to_string(n);
        }
        add(*engine, documents);
        engine->compact();
    }
    const auto file_of = [&](const std::string& name) {
        for (const auto& entry : fs::directory_iterator(folder / name)) {
            if (entry.path().string().find(".bm25.") != std::string::npos) return entry.path();
        }
        return fs::path();
    };
    fs::copy_file(file_of("other"), file_of("kb"), fs::copy_options::overwrite_existing);
    run_sql(folder / "kb", "UPDATE files SET size=" + std::to_string(fs::file_size(file_of("kb"))) + " WHERE kind='bm25'");
    const bool read_only = GENERATE(false, true);
    auto engine = open_engine(folder / "kb", read_only);
    REQUIRE(search_text(*engine, "marker13").empty());
    const auto report = verified(*engine);
    INFO(report.dump());
    CHECK(report["ok"] == true);
    REQUIRE(report["rebuilt"].size() == 1);
    CHECK(report["rebuilt"][0].get<std::string>().find("BM25") != std::string::npos);
    for (std::uint32_t n = 0; n < 50; ++n) CHECK(found_everywhere(*engine, n));
    CHECK(verified(*engine)["rebuilt"].empty());
    if (read_only) return;
    engine->close();
    CHECK(search_text(*open_engine(folder / "kb", true), "marker13").size() == 1);
}

TEST_CASE("a callback may use the engine, and is refused what would wait for itself") {
    TemporaryFolder folder;
    const bool memory = GENERATE(true, false);
    auto engine = memory ? open_engine() : open_engine(folder / "kb");
    add_numbered(*engine, 0, 10);
    std::size_t lines = 0;
    engine->export_lines(
        [&](std::string_view) {
            ++lines;
            CHECK(search_text(*engine, "marker3").size() == 1);
            add_numbered(*engine, 100 + static_cast<std::uint32_t>(lines), 101 + static_cast<std::uint32_t>(lines));
            const auto failure = failure_of([&] { engine->close(); });
            CHECK(failure.code == Code::kInvalidState);
        },
        {});
    CHECK(lines == 11);  // of the state in which it began, behind the header
    CHECK(engine->count() == 21);
    WriteOptions options;
    bool asked = false;
    options.progress = [&](std::uint64_t, std::uint64_t) {
        asked = true;
        CHECK(failure_of([&] { add_numbered(*engine, 900, 901); }).code == Code::kInvalidState);
        CHECK(search_text(*engine, "marker3").size() == 1);
        return true;
    };
    add(*engine, {numbered(500)}, options);
    CHECK(asked);
    engine->close();
    CHECK(failure_of([&] { engine->count(); }).code == Code::kInvalidState);
}
