// Knowledge bases of every format that librag ever wrote (golden/format_N, made by golden/make_golden_base.py with the librag of
// its time): each opens, has all its content, is found, and costs no new embedding; cut short, its migration has not happened.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "engine_fixtures.hpp"
#include "store/store.hpp"
#include "text/analyze.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = GOLDEN_BASES;

Json expected_of(const fs::path& golden) {
    std::ifstream file(golden / "expected.json");
    return Json::parse(file);
}

std::int64_t query(const fs::path& folder, const std::string& sql) {
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open((folder / "knowledge.sqlite3").c_str(), &handle) == SQLITE_OK);
    std::int64_t value = -1;
    const auto keep = [](void* out, int, char** columns, char**) {
        *static_cast<std::int64_t*>(out) = columns[0] == nullptr ? 0 : std::strtoll(columns[0], nullptr, 10);
        return 0;
    };
    char* why = nullptr;
    sqlite3_exec(handle, sql.c_str(), keep, &value, &why);
    const std::string text = why == nullptr ? "" : why;
    sqlite3_free(why);
    sqlite3_close(handle);
    REQUIRE(text == "");
    return value;
}

/// Many documents without vectors, each a copy of a stored one with one chunk: 20,012 in all.
void make_long(const fs::path& folder) {
    query(
        folder,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) INSERT INTO documents(id, hash, created_ms, "
        "updated_ms, sequence, title, metadata, text) SELECT 'copy-'||i, hash, created_ms, updated_ms, sequence, title, "
        "metadata, "
        "text FROM n, documents WHERE id='note-1'");
    query(
        folder,
        "INSERT INTO chunks(document, ordinal, start, stop, embedded) SELECT key, 0, 0, length(text), 0 FROM documents WHERE id "
        "LIKE 'copy-%'");
}

std::string sequence_of(const Engine& engine) {
    return Json::parse(engine.stats())["sequence"].dump();
}

}  // namespace

TEST_CASE("knowledge bases of every older format stay readable") {
    const std::string format = GENERATE("format_1", "format_2", "format_3");
    const std::string metric = format == "format_3" ? "l2" : "cosine";
    const Json expected = expected_of(kGolden / format);
    TemporaryFolder folder;
    fs::copy(kGolden / format / "knowledge", folder / "kb");
    const auto chunk_keys = query(folder / "kb", "SELECT sum(key*key) FROM chunks");
    const auto last_key = query(folder / "kb", "SELECT seq FROM sqlite_sequence WHERE name='chunks'");
    for (int opening = 0; opening < 2; ++opening) {
        auto engine = open_engine(folder / "kb");
        const auto report = engine->verify();
        INFO(report.json);
        CHECK(report.ok);
        CHECK(engine->count() == expected["documents"].size());
        CHECK(sequence_of(*engine) == expected["sequence"].dump());
        CHECK(Json::parse(engine->stats())["metric"] == metric);
        for (const Json& document : expected["documents"]) {
            const std::string id = document["id"];
            INFO(id);
            const auto stored = get(*engine, id);
            REQUIRE(stored);
            CHECK(stored->text == document["text"].get<std::string>());
            CHECK(stored->title == document["title"].get<std::string>());
            CHECK(Json::parse(stored->metadata) == document["metadata"]);
            CHECK(stored->created_ms == document["created_ms"].get<std::int64_t>());
            CHECK(stored->updated_ms == document["updated_ms"].get<std::int64_t>());
            CHECK(stored->chunks == document["chunks"].get<std::uint64_t>());
            CHECK(stored->source == document.value("source", ""));
            CHECK(stored->language == document.value("language", ""));
            if (document["vector"].is_null()) continue;
            const auto vector = document["vector"].get<std::vector<float>>();
            const auto hits = search_vector(*engine, vector, 1);
            REQUIRE(hits.size() == 1);
            CHECK(hits[0].document_id == id);
            CHECK(hits[0].score > (metric == "l2" ? -1e-4F : 0.9999F));
        }
        for (const Json& id : expected["removed"]) CHECK_FALSE(get(*engine, id.get<std::string>()));
        CHECK(search_text(*engine, "marker7").front().document_id == "note-7");
        // Terms of older rules are made again, so that what newer ones find is found.
        CHECK_THAT(Json::parse(engine->stats())["bm25"]["analyzer"].get<std::string>(), Contains(Analyzer().version()));
        CHECK(search_text(*engine, "\xe7\x9f\xa5\xe8\xaf\x86\xe5\xba\x93").front().title == "\xe6\xa0\x87\xe9\xa2\x98");
        CHECK(search_text(*engine, "word333").front().document_id == "long");
    }
    CHECK(query(folder / "kb", "SELECT sum(key*key) FROM chunks") == chunk_keys);
    CHECK(query(folder / "kb", "SELECT seq FROM sqlite_sequence WHERE name='chunks'") == last_key);
}

TEST_CASE("what an older format holds is equal to itself: an upsert of it changes nothing") {
    const Json expected = expected_of(kGolden / "format_1");
    TemporaryFolder folder;
    fs::copy(kGolden / "format_1" / "knowledge", folder / "kb");
    auto engine = open_engine(folder / "kb");
    std::vector<Document> documents;
    for (const Json& document : expected["documents"]) {
        Document input{document["id"], document["text"], document["title"], document["metadata"].dump(), {}};
        if (!document["vector"].is_null()) input.vector = document["vector"].get<std::vector<float>>();
        documents.push_back(input);
    }
    upsert(*engine, documents);
    CHECK(sequence_of(*engine) == expected["sequence"].dump());
    // A changed letter in a document that came with its vector: a new chunk; a changed title of a long one: new chunks.
    documents[0].text += "!";
    upsert(*engine, documents);
    CHECK(get(*engine, documents[0].id)->text == documents[0].text);
    CHECK(engine->verify().ok);
}

TEST_CASE("an older format is not read where it cannot be brought up to date, and is left alone") {
    TemporaryFolder folder;
    fs::copy(kGolden / "format_1" / "knowledge", folder / "kb");
    const auto failure = failure_of([&] { open_engine(folder / "kb", true); });
    CHECK(failure.code == Code::kVersion);
    CHECK_THAT(failure.text, Contains("older format than 2") && Contains("for writing"));
    CHECK(query(folder / "kb", "PRAGMA user_version") == 1);
    CHECK(failure_of([&] { open_engine(folder / "kb"); }).code == Code::kOk);
    CHECK(failure_of([&] { open_engine(folder / "kb", true); }).code == Code::kOk);
}

TEST_CASE("a damaged base of an older format is refused by name and left as it was") {
    TemporaryFolder folder;
    fs::copy(kGolden / "format_1" / "knowledge", folder / "kb");
    query(folder / "kb", "UPDATE chunks SET stop=100000 WHERE key=(SELECT max(key) FROM chunks)");
    const auto failure = failure_of([&] { open_engine(folder / "kb"); });
    CHECK(failure.code == Code::kCorrupt);
    CHECK_THAT(failure.text, Contains("\"note-3\"") && Contains("100000"));
    CHECK(query(folder / "kb", "PRAGMA user_version") == 1);
    CHECK(query(folder / "kb", "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'format1%'") == 0);
}

TEST_CASE("a migration that is killed has not happened") {
    TemporaryFolder folder;
    fs::copy(kGolden / "format_1" / "knowledge", folder / "kb");
    make_long(folder / "kb");
    std::mt19937 random(5);
    int killed = 0;
    for (int round = 0; round < 12; ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
            try {
                Store::open({folder / "kb", false});
            } catch (...) {
                ::_exit(1);
            }
            ::_exit(0);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(random() % 120));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        if (WIFEXITED(status)) break;  // it was quicker
        ++killed;
        const auto format = query(folder / "kb", "PRAGMA user_version");
        CHECK(query(folder / "kb", "SELECT count(*) FROM documents") == 20012);
        CHECK(query(folder / "kb", "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'format1%'") == 0);
        CHECK(query(folder / "kb", "SELECT count(*) FROM sqlite_schema WHERE name='removals'") == format - 1);
        if (format == 2) break;
    }
    CHECK(killed > 0);
    auto store = Store::open({folder / "kb", false});
    CHECK(store->read().counts().documents == 20012);
    CHECK(store->verify().empty());
}

TEST_CASE("a migration tells how far it is, and can be stopped") {
    TemporaryFolder folder;
    fs::copy(kGolden / "format_1" / "knowledge", folder / "kb");
    make_long(folder / "kb");
    EngineOptions options;
    options.path = folder / "kb";
    const auto caller = std::this_thread::get_id();
    // Stopped at once, and after some were done.
    for (const std::uint64_t enough : {std::uint64_t{0}, std::uint64_t{1}}) {
        options.progress = [&](std::uint64_t done, std::uint64_t total) {
            CHECK(std::this_thread::get_id() == caller);
            CHECK((total == 0 || total == 20012));
            return done < enough;
        };
        CHECK(failure_of([&] { Engine::open(options); }).code == Code::kStopped);
        CHECK(query(folder / "kb", "PRAGMA user_version") == 1);
        CHECK(query(folder / "kb", "SELECT count(*) FROM documents") == 20012);
        CHECK(query(folder / "kb", "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'format1%'") == 0);
    }
    std::uint64_t last = 0;
    std::uint64_t calls = 0;
    options.progress = [&](std::uint64_t done, std::uint64_t) {
        CHECK(done >= last);
        last = done;
        ++calls;
        return true;
    };
    auto engine = Engine::open(options);
    CHECK(last == 20012);
    CHECK(calls > 1);
    CHECK(engine->count() == 20012);
    calls = 0;
    upsert(*engine, {{"plain", "some text", "", "", {}}});  // what opening was given is not kept
    CHECK(calls == 0);
    CHECK(engine->verify().ok);
    engine->close();
    // What needs no migration tells nothing of documents.
    options.progress = [&](std::uint64_t done, std::uint64_t total) {
        CHECK(done == 0);
        CHECK(total == 0);
        return true;
    };
    CHECK(Engine::open(options)->count() == 20013);
}
