// Derived files: written, used, and of no consequence when they are lost, torn, damaged or old. And a damaged database.
#include <sqlite3.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> derived_files(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.path().extension() == ".seg") files.push_back(entry.path());
    }
    return files;
}

/// The log lines of a scope.
class LogLines {
  public:
    LogLines() {
        set_log_sink([this](LogLevel, std::string_view line) { text += std::string(line) + "\n"; }, LogLevel::kInfo);
    }
    ~LogLines() { set_log_sink(nullptr, LogLevel::kError); }
    std::string text;
};

/// Changes a closed knowledge base behind its back.
void run_sql(const fs::path& folder, const char* sql) {
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open((folder / "knowledge.sqlite3").c_str(), &handle) == SQLITE_OK);
    CHECK(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(handle);
}

void check_whole(const fs::path& folder, std::uint32_t count, bool read_only) {
    auto engine = open_engine(folder, read_only);
    CHECK(engine->count() == count);
    for (std::uint32_t n = 0; n < count; n += 5) CHECK(found_everywhere(*engine, n));
    const auto report = engine->verify();
    INFO(report.json);
    CHECK(report.ok);
}

}  // namespace

TEST_CASE("closing writes the indexes, opening uses them") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "kb");
        add_numbered(*engine, 0, 100);
    }
    CHECK(derived_files(folder / "kb").size() == 2);
    LogLines log;
    auto engine = open_engine(folder / "kb");
    auto stats = nlohmann::json::parse(engine->stats());
    CHECK(stats["bm25"].is_null());  // nothing is loaded before it is needed
    CHECK(stats["vector"].is_null());
    CHECK(stats["documents"] == 100);
    CHECK(stats["files"].size() == 2);
    search_text(*engine, "marker5");
    stats = nlohmann::json::parse(engine->stats());
    CHECK(stats["bm25"]["chunks"] == 100);
    CHECK(stats["vector"].is_null());
    search_vector(*engine, vector_of(5));
    stats = nlohmann::json::parse(engine->stats());
    CHECK(stats["vector"]["chunks"] == 100);
    CHECK(log.text == "");
    CHECK(engine->verify().ok);
    // Nothing changed, so nothing is written.
    const auto before = derived_files(folder / "kb");
    const auto time = fs::last_write_time(before[0]);
    engine.reset();
    CHECK(derived_files(folder / "kb") == before);
    CHECK(fs::last_write_time(before[0]) == time);
}

TEST_CASE("files that are lost, torn, damaged, foreign or old cost nothing but time") {
    TemporaryFolder folder;
    const auto original = folder / "original";
    {
        auto engine = open_engine(original);
        add_numbered(*engine, 0, 100);
    }
    const auto with_damage = [&](const std::function<void(const fs::path&)>& damage, bool read_only) {
        TemporaryFolder copy;
        fs::copy(original, copy / "kb");
        for (const auto& file : derived_files(copy / "kb")) damage(file);
        check_whole(copy / "kb", 100, read_only);
        check_whole(copy / "kb", 100, read_only);
    };
    const bool read_only = GENERATE(false, true);
    with_damage([](const fs::path& file) { fs::remove(file); }, read_only);
    with_damage([](const fs::path& file) { fs::resize_file(file, 0); }, read_only);
    with_damage([](const fs::path& file) { write_file(file, "something else"); }, read_only);
    std::mt19937 random(5);
    for (int round = 0; round < 12; ++round) {
        with_damage([&](const fs::path& file) { fs::resize_file(file, random() % fs::file_size(file)); }, read_only);
        with_damage(
            [&](const fs::path& file) {
                std::string bytes = read_file(file);
                bytes[random() % bytes.size()] ^= static_cast<char>(1 << (random() % 8));
                write_file(file, bytes);
            },
            read_only);
    }
}

TEST_CASE("a database that takes another's place does not find that one's indexes under the names it knows") {
    TemporaryFolder folder;
    const auto with = [&](const char* base, const std::string& word) {
        auto engine = open_engine(folder / base);
        std::vector<Document> documents;
        for (int i = 0; i < 100; ++i) documents.push_back({word + std::to_string(i), word + " " + std::to_string(i), "", "", {}});
        add(*engine, documents);
        engine->close();
    };
    with("one", "common");
    fs::copy(folder / "one", folder / "two");
    with("one", "apples");
    with("two", "bananas");
    fs::copy_file(folder / "two" / "knowledge.sqlite3", folder / "one" / "knowledge.sqlite3",
                  fs::copy_options::overwrite_existing);
    auto engine = open_engine(folder / "one");
    CHECK(search_text(*engine, "bananas").size() == 10);
    CHECK(search_text(*engine, "apples").empty());
    CHECK(engine->verify().ok);
}

TEST_CASE("a damaged file is named in the log and in the report") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "kb");
        add_numbered(*engine, 0, 100);
    }
    for (const auto& file : derived_files(folder / "kb")) fs::resize_file(file, fs::file_size(file) / 2);
    LogLines log;
    auto engine = open_engine(folder / "kb");
    const auto report = engine->verify();
    CHECK(report.ok);
    CHECK(nlohmann::json::parse(report.json)["rebuilt"].size() == 2);
    CHECK_THAT(log.text, Contains("BM25 index is built again") && Contains("vector index is built again"));
    CHECK(nlohmann::json::parse(engine->verify().json)["rebuilt"].empty());
}

TEST_CASE("files that are older than the database are repaired by what is missing and what is too much") {
    TemporaryFolder folder;
    const auto kb = folder / "kb";
    {
        auto engine = open_engine(kb);
        add_numbered(*engine, 0, 100);
    }
    TemporaryFolder kept;
    for (const auto& file : derived_files(kb)) fs::copy(file, kept.path() / file.filename());
    {
        auto engine = open_engine(kb);
        remove(*engine, {"doc0", "doc99"});
        add_numbered(*engine, 100, 300);
        add(*engine, {numbered(0), numbered(99)});
        engine->compact();
    }
    // The former files under the names that are listed now.
    for (const auto& file : derived_files(kb)) {
        for (const auto& old : derived_files(kept.path())) {
            if (old.stem().extension() == file.stem().extension()) fs::copy_file(old, file, fs::copy_options::overwrite_existing);
        }
    }
    check_whole(kb, 300, true);
    check_whole(kb, 300, false);
}

TEST_CASE("a file may hold chunks of a write that never came to its end: their keys are not given to others") {
    TemporaryFolder folder;
    const auto kb = folder / "kb";
    {
        auto engine = open_engine(kb);
        add_numbered(*engine, 0, 100);
    }
    // The files of a base that has one document more, under the names that the database without it lists: as after kill -9 (or a
    // full disk) between writing the files and committing the document.
    fs::copy(kb, folder / "ahead");
    {
        auto engine = open_engine(folder / "ahead");
        add_numbered(*engine, 500, 501);
    }
    // Their sequence number was read before that document.
    run_sql(folder / "ahead", "UPDATE meta SET value=value-1 WHERE name='sequence'");
    fs::remove(folder / "ahead" / "knowledge.mark");  // which would tell the forgery
    open_engine(folder / "ahead")->compact();
    for (const auto& file : derived_files(kb)) {
        for (const auto& ahead : derived_files(folder / "ahead")) {
            if (ahead.stem().extension() == file.stem().extension())
                fs::copy_file(ahead, file, fs::copy_options::overwrite_existing);
        }
    }
    {
        auto engine = open_engine(kb);
        add_numbered(*engine, 100, 101);  // too little to be worth new files
        CHECK(found_everywhere(*engine, 100));
    }
    for (const bool read_only : {true, false}) {
        auto engine = open_engine(kb, read_only);
        CHECK(found_everywhere(*engine, 100));
        CHECK(search_text(*engine, "marker500").empty());
        CHECK(engine->count() == 101);
    }
}

TEST_CASE("a few changes are not worth a file, and are there all the same") {
    TemporaryFolder folder;
    {
        auto engine = open_engine(folder / "kb");
        add_numbered(*engine, 0, 1000);
    }
    const auto before = derived_files(folder / "kb");
    {
        auto engine = open_engine(folder / "kb");
        add_numbered(*engine, 1000, 1005);
        remove(*engine, {"doc6"});
    }
    CHECK(derived_files(folder / "kb") == before);
    auto engine = open_engine(folder / "kb");
    CHECK(found_everywhere(*engine, 1003));
    CHECK(search_text(*engine, "marker6").empty());
    CHECK(engine->verify().ok);
    engine->compact();
    CHECK(derived_files(folder / "kb") != before);
    CHECK(derived_files(folder / "kb").size() == 2);
}

TEST_CASE("compact gives space back") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    const auto bytes = [&] { return nlohmann::json::parse(engine->stats())["bytes"].get<std::uint64_t>(); };
    add_numbered(*engine, 0, 3000);
    engine->compact();
    const auto full = bytes();
    CHECK(engine->remove({}, R"({"n":{"$gte":30}})") == 2970);
    engine->compact();
    CHECK(bytes() < full / 10);
    for (std::uint32_t n = 0; n < 30; ++n) CHECK(found_everywhere(*engine, n));
    CHECK(engine->verify().ok);
}

TEST_CASE("verify finds what contradicts itself") {
    TemporaryFolder folder;
    const auto kb = folder / "kb";
    {
        auto engine = open_engine(kb);
        add_numbered(*engine, 0, 50);
    }
    // The stored vector of one chunk becomes that of another: only comparing with the index can find it.
    run_sql(kb, "UPDATE embeddings SET vector=(SELECT vector FROM embeddings WHERE chunk=9) WHERE chunk=8");
    auto engine = open_engine(kb);
    const auto report = engine->verify();
    CHECK_FALSE(report.ok);
    CHECK_THAT(report.json, Contains("vector of chunk 8"));
}

TEST_CASE("a damaged database is an error or a finding, never a crash") {
    TemporaryFolder folder;
    const auto original = folder / "original";
    {
        auto engine = open_engine(original);
        add_numbered(*engine, 0, 200);
    }
    const auto size = fs::file_size(original / "knowledge.sqlite3");
    std::mt19937 random(17);
    int noticed = 0;
    constexpr int kRounds = 25;
    for (int round = 0; round < kRounds; ++round) {
        TemporaryFolder copy;
        fs::copy(original, copy / "kb");
        {
            std::fstream file(copy / "kb" / "knowledge.sqlite3", std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(static_cast<std::streamoff>(random() % (size / 4096) * 4096));
            std::string noise(4096, '\0');
            for (auto& byte : noise) byte = static_cast<char>(random());
            file.write(noise.data(), static_cast<std::streamsize>(noise.size()));
        }
        try {
            auto engine = open_engine(copy / "kb", round % 2 == 0);
            for (std::uint32_t n = 0; n < 200; n += 10) {
                try {
                    found_everywhere(*engine, n);
                } catch (const Error& error) {
                    CHECK(error.code() == Code::kCorrupt);
                }
            }
            if (!engine->verify().ok) ++noticed;
        } catch (const Error& error) {
            INFO(error.what());
            CHECK((error.code() == Code::kCorrupt || error.code() == Code::kInvalidArgument || error.code() == Code::kVersion));
            ++noticed;
        }
    }
    // A page on SQLite's free list may hold anything.
    CHECK(noticed >= kRounds - 2);
}
