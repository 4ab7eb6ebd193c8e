// What is no knowledge base, or a damaged one, is refused with a text that names it, and nothing is changed.
#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <random>

#include "core/error.hpp"
#include "store/store.hpp"
#include "test_files.hpp"

using namespace rag::core;
using rag::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

struct Failure {
    Code code = Code::kOk;
    std::string text;
};

Failure open_failure(const fs::path& folder, bool read_only = false) {
    try {
        Store::open({folder, read_only});
    } catch (const Error& error) {
        return {error.code(), error.what()};
    }
    return {};
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

void run_sql(const fs::path& file, const std::string& sql) {
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &handle) == SQLITE_OK);
    char* why = nullptr;
    sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &why);
    const std::string text = why == nullptr ? "" : why;
    sqlite3_free(why);
    sqlite3_close(handle);
    REQUIRE(text == "");
}

void make_knowledge_base(const fs::path& folder, int documents = 3) {
    auto store = Store::open({folder, false});
    auto write = store->write();
    write.set_meta("dimension", "2");
    for (int i = 0; i < documents; ++i) {
        NewDocument document;
        const std::string id = "d" + std::to_string(i);
        const std::string text = "text number " + std::to_string(i) + std::string(500, 'y');
        document.id = id;
        document.text = text;
        document.metadata = "{}";
        const auto key = write.insert_document(document);
        const float vector[] = {1.0F, 0.5F};
        const ContentHash hash = chunk_hash("", "", text, vector);
        write.insert_chunk(key, {write.last_chunk_key() + 1, {0, 0, text.size(), 0, text.size()}, "", hash, vector});
    }
    write.commit();
}

}  // namespace

TEST_CASE("a path that is no knowledge base is refused and left alone") {
    TemporaryFolder folder;
    std::ofstream(folder / "file.txt") << "not a folder";
    auto failure = open_failure(folder / "file.txt");
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK(has(failure.text, "file.txt"));

    failure = open_failure(folder / "missing", true);
    CHECK(failure.code == Code::kNotFound);
    CHECK(has(failure.text, "missing"));
    CHECK_FALSE(fs::exists(folder / "missing"));

    fs::create_directory(folder / "photos");
    std::ofstream(folder / "photos" / "cat.jpg") << "meow";
    failure = open_failure(folder / "photos");
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK(has(failure.text, "cat.jpg"));
    CHECK(open_failure(folder / "photos", true).code == Code::kNotFound);
    CHECK(std::distance(fs::directory_iterator(folder / "photos"), fs::directory_iterator()) == 1);

    CHECK(open_failure("").code == Code::kInvalidArgument);
    CHECK(open_failure(folder / std::string("a\0b", 3)).code == Code::kInvalidArgument);

    fs::create_directory(folder / "empty");
    CHECK(open_failure(folder / "empty", true).code == Code::kNotFound);
    CHECK(open_failure(folder / "empty").code == Code::kOk);
    CHECK(open_failure(folder / "odd ?#%41 name").code == Code::kOk);
    CHECK(fs::exists(folder / "odd ?#%41 name" / "knowledge.sqlite3"));
}

TEST_CASE("an emptied or missing database beside index files is refused, not begun anew") {
    TemporaryFolder folder;
    make_knowledge_base(folder / "kb");
    std::ofstream(folder / "kb" / "index-3.bm25.seg") << "derived";
    const auto database = folder / "kb" / "knowledge.sqlite3";
    const bool missing = GENERATE(true, false);
    fs::remove(folder / "kb" / "knowledge.sqlite3-wal");
    if (missing) {
        fs::remove(database);
    } else {
        fs::resize_file(database, 0);
    }
    const auto failure = open_failure(folder / "kb");
    CHECK(failure.code == (missing ? Code::kInvalidArgument : Code::kCorrupt));
    CHECK(has(failure.text, "index-3.bm25.seg"));
    CHECK(fs::exists(folder / "kb" / "index-3.bm25.seg"));
}

TEST_CASE("another program's database, a newer format and a foreign table are refused by name") {
    TemporaryFolder folder;
    const auto database = folder / "kb" / "knowledge.sqlite3";
    fs::create_directory(folder / "kb");
    SECTION("another program's") {
        run_sql(database, "CREATE TABLE bookmarks(url); PRAGMA application_id=77");
        const auto failure = open_failure(folder / "kb", GENERATE(true, false));
        CHECK(failure.code == Code::kInvalidArgument);
        CHECK(has(failure.text, "no knowledge base"));
        CHECK(has(failure.text, "0x0000004d"));
    }
    SECTION("a newer format") {
        make_knowledge_base(folder / "kb");
        run_sql(database, "PRAGMA user_version=9");
        const auto failure = open_failure(folder / "kb", GENERATE(true, false));
        CHECK(failure.code == Code::kVersion);
        CHECK(has(failure.text, "format 9"));
        CHECK(has(failure.text, "up to 3"));
    }
    SECTION("a trigger that somebody put in") {
        make_knowledge_base(folder / "kb");
        run_sql(database, "CREATE TRIGGER t AFTER INSERT ON documents BEGIN DELETE FROM meta; END");
        CHECK(open_failure(folder / "kb").code == Code::kCorrupt);
    }
    SECTION("a missing table") {
        make_knowledge_base(folder / "kb");
        run_sql(database, "DROP TABLE embeddings");
        CHECK(open_failure(folder / "kb").code == Code::kCorrupt);
    }
    SECTION("no database at all") {
        std::ofstream(database) << std::string(5000, 'q');
        const auto failure = open_failure(folder / "kb", GENERATE(true, false));
        CHECK(failure.code == Code::kCorrupt);
        CHECK(has(failure.text, "knowledge.sqlite3"));
    }
}

TEST_CASE("a creation that was cut short is done again") {
    TemporaryFolder folder;
    fs::create_directory(folder / "kb");
    std::ofstream(folder / "kb" / "knowledge.sqlite3").close();
    std::ofstream(folder / "kb" / "knowledge.lock").close();
    CHECK(open_failure(folder / "kb", true).code == Code::kNotFound);
    CHECK(open_failure(folder / "kb").code == Code::kOk);
    CHECK(open_failure(folder / "kb", true).code == Code::kOk);
}

TEST_CASE("verify names what contradicts itself") {
    TemporaryFolder folder;
    make_knowledge_base(folder / "kb");
    CHECK(Store::open({folder / "kb", true})->verify().empty());
    const auto broken_by = [&](const std::string& sql) {
        TemporaryFolder copy;
        fs::copy(folder / "kb", copy / "kb");
        run_sql(copy / "kb" / "knowledge.sqlite3", "PRAGMA foreign_keys=OFF;" + sql);
        std::string all;
        for (const auto& line : Store::open({copy / "kb", true})->verify()) all += line + "\n";
        return all;
    };
    CHECK(has(broken_by("UPDATE chunks SET stop=100000 WHERE key=2"), "chunk 2 of document \"d1\""));
    CHECK(has(broken_by("UPDATE chunks SET start=-1 WHERE key=2"), "chunk 2"));
    CHECK(has(broken_by("DELETE FROM chunks WHERE key=1"), "\"d0\": it has no chunk"));
    CHECK(has(broken_by("DELETE FROM documents WHERE key=1"), "refers to a row of documents"));
    CHECK(has(broken_by("UPDATE embeddings SET vector=x'00' WHERE chunk=3"), "chunk 3"));
    CHECK(has(broken_by("UPDATE embeddings SET vector=x'0000c07f00000000' WHERE chunk=3"), "nan"));
    CHECK(has(broken_by("DELETE FROM embeddings WHERE chunk=3"), "marked wrongly"));
    CHECK(has(broken_by("UPDATE sqlite_sequence SET seq=2 WHERE name='chunks'"), "never given out"));
    CHECK(has(broken_by("UPDATE documents SET sequence=99 WHERE key=1"), "99"));
    CHECK(has(broken_by("UPDATE documents SET added=9 WHERE key=1"), "document \"d0\""));
    CHECK(has(broken_by("INSERT INTO removals VALUES(7, 'x')"), "1 removals"));
    CHECK(has(broken_by("UPDATE documents SET text=CAST(x'ff' AS TEXT) WHERE key=1"), "UTF-8"));
}

TEST_CASE("verify notices any changed letter and any changed number of a vector, and names the document") {
    TemporaryFolder folder;
    make_knowledge_base(folder / "kb");
    run_sql(folder / "kb" / "knowledge.sqlite3", "PRAGMA journal_mode=DELETE");
    std::ifstream file(folder / "kb" / "knowledge.sqlite3", std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto text_at = whole.find("text number 1");
    REQUIRE(text_at != std::string::npos);
    const auto changed_at = [&](std::size_t at, char flip) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ flip);
        std::ofstream(folder / "kb" / "knowledge.sqlite3", std::ios::binary | std::ios::trunc) << changed;
        std::string all;
        for (const auto& line : Store::open({folder / "kb", true})->verify()) all += line + "\n";
        return all;
    };
    std::mt19937 random(3);
    for (int round = 0; round < 40; ++round) {
        const auto found = changed_at(text_at + random() % 500, static_cast<char>(1 << random() % 5));
        INFO(found);
        CHECK(has(found, "\"d1\""));
    }
    // A vector: 1.0, 0.5 as float32.
    const auto vector_at = whole.find(std::string("\x00\x00\x80\x3f\x00\x00\x00\x3f", 8));
    REQUIRE(vector_at != std::string::npos);
    for (int bit = 0; bit < 7; ++bit) {
        const auto found = changed_at(vector_at + 4, static_cast<char>(1 << bit));
        INFO(found);
        CHECK(has(found, "its vector was changed"));
    }
    const auto broken_by = [&](const std::string& change) {
        std::ofstream(folder / "kb" / "knowledge.sqlite3", std::ios::binary | std::ios::trunc) << whole;
        run_sql(folder / "kb" / "knowledge.sqlite3", "UPDATE documents SET " + change + " WHERE id='d2'");
        std::string all;
        for (const auto& line : Store::open({folder / "kb", true})->verify()) all += line + "\n";
        return all;
    };
    for (const char* change : {"title='x'", "metadata='{\"a\":1}'", "source='x'", "language='x'", "created_ms=1", "updated_ms=1",
                               "hash=x'00'", "text_checksum=5", "checksum=5", "id='d2x'"}) {
        INFO(change);
        CHECK(has(broken_by(change), "\"d2"));
    }
    std::ofstream(folder / "kb" / "knowledge.sqlite3", std::ios::binary | std::ios::trunc) << whole;
    CHECK(Store::open({folder / "kb", true})->verify().empty());
}

TEST_CASE("stored offsets and vectors are checked when they are read") {
    TemporaryFolder folder;
    make_knowledge_base(folder / "kb");
    run_sql(folder / "kb" / "knowledge.sqlite3",
            "UPDATE chunks SET stop=100000 WHERE key=1; UPDATE embeddings SET vector=x'00' WHERE chunk=2;"
            "UPDATE meta SET value='x' WHERE name='sequence'");
    auto store = Store::open({folder / "kb", true});
    auto read = store->read();
    std::vector<float> vector(2);
    CHECK_THROWS_WITH(read.find_chunk(1), Catch::Contains("damaged") && Catch::Contains("chunk 1"));
    CHECK_THROWS_WITH(read.read_vector(2, vector), Catch::Contains("chunk 2"));
    CHECK_THROWS_WITH(read.sequence(), Catch::Contains("sequence"));
}

TEST_CASE("a database with damaged pages never crashes, and verify finds it") {
    TemporaryFolder folder;
    make_knowledge_base(folder / "kb", 200);
    const auto database = folder / "kb" / "knowledge.sqlite3";
    const auto size = fs::file_size(database);
    REQUIRE(size > 20 * 4096);
    std::mt19937 random(7);
    int found = 0;
    for (int round = 0; round < 60; ++round) {
        TemporaryFolder copy;
        fs::copy(folder / "kb", copy / "kb");
        {
            std::fstream file(copy / "kb" / "knowledge.sqlite3", std::ios::in | std::ios::out | std::ios::binary);
            const auto page = random() % (size / 4096);
            file.seekp(static_cast<std::streamoff>(page * 4096 + random() % 64));
            const std::string noise(200, static_cast<char>(random()));
            file.write(noise.data(), static_cast<std::streamsize>(noise.size()));
        }
        try {
            auto store = Store::open({copy / "kb", true});
            if (!store->verify().empty()) ++found;
            auto read = store->read();
            for (const auto key : read.chunk_keys()) read.find_chunk(key);
        } catch (const Error& error) {
            INFO(error.what());
            CHECK((error.code() == Code::kCorrupt || error.code() == Code::kVersion || error.code() == Code::kInvalidArgument ||
                   error.code() == Code::kNotFound || error.code() == Code::kIo));
            ++found;
        }
    }
    // Noise in the unused part of a page is no damage; everything else is.
    CHECK(found >= 40);
}
