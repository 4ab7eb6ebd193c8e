// What a log held that is gone: opening says that acknowledged commits are missing, and says it never of a base that is whole.
#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <iterator>

#include "core/error.hpp"
#include "store/backup.hpp"
#include "store/commit_mark.hpp"
#include "store/store.hpp"
#include "test_files.hpp"

using namespace rag::core;
using rag::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

constexpr const char* kDatabase = "knowledge.sqlite3";
constexpr const char* kLog = "knowledge.sqlite3-wal";

void add(Store& store, const std::string& id) {
    auto write = store.write();
    NewDocument document;
    document.id = id;
    document.text = "text";
    document.metadata = "{}";
    const auto key = write.insert_document(document);
    write.insert_chunk(key, {write.last_chunk_key() + 1, {0, 0, 4, 0, 4}, "", chunk_hash("", "", "text", {}), {}});
    write.commit();
}

/// The files as a process leaves them that is killed while `store` is open; nothing is written meanwhile.
void copy_as_killed(const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    fs::create_directory(to);
    for (const char* name : {kDatabase, kLog, "knowledge.mark", "knowledge.lock"}) {
        if (fs::exists(from / name)) fs::copy_file(from / name, to / name);
    }
}

std::string bytes_of(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

/// Opens it as a writer or reader and returns the text of what is refused as damaged; empty: it opened.
std::string refusal(const fs::path& folder, bool read_only = false) {
    try {
        Store::open({folder, read_only});
    } catch (const Error& error) {
        CHECK(error.code() == Code::kCorrupt);
        return error.what();
    }
    return {};
}

std::int64_t last_change(const fs::path& folder) {
    return Store::open({folder, true})->read().sequence();
}

bool tells(const std::string& text, const std::string& last, const std::string& acknowledged) {
    return text.find("last change is " + last + ",") != std::string::npos &&
           text.find(", " + acknowledged + " were acknowledged") != std::string::npos;
}

}  // namespace

TEST_CASE("a mark is read as it was written, and damaged ones not at all") {
    const Mark mark{std::string(kWriterNameBytes, 'a'), 12345678901};
    const auto bytes = write_mark(mark);
    CHECK(parse_mark(bytes) == mark);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            auto damaged = bytes;
            damaged[at] ^= static_cast<std::byte>(1 << bit);
            CHECK_FALSE(parse_mark(damaged));
        }
        CHECK_FALSE(parse_mark(std::span(bytes).first(at)));
    }
    CHECK_FALSE(parse_mark(write_mark({mark.writer, 0})));
}

TEST_CASE("a log that was removed, cut or damaged is told with both numbers, and nothing is changed") {
    TemporaryFolder folder;
    const fs::path killed = folder / "killed";
    {
        auto store = Store::open({folder / "kb", false});
        for (int i = 0; i < 20; ++i) add(*store, "d" + std::to_string(i));
        copy_as_killed(folder / "kb", killed);
    }
    SECTION("whole") {
        CHECK(refusal(killed, true).empty());
        CHECK(refusal(killed).empty());
        CHECK(last_change(killed) == 20);
        return;
    }
    std::string left = "1";  // what the database holds without the log: the writer's first commit
    SECTION("removed") {
        fs::remove(killed / kLog);
    }
    SECTION("emptied") {
        fs::resize_file(killed / kLog, 0);
    }
    SECTION("cut or damaged in its last commit") {
        SECTION("cut") {
            fs::resize_file(killed / kLog, fs::file_size(killed / kLog) - 1000);
        }
        SECTION("damaged") {
            std::fstream file(killed / kLog, std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(-1000, std::ios::end);
            file.write("\x5a\xa5\x5a", 3);
        }
        left = "19";
    }
    const std::string database = bytes_of(killed / kDatabase);
    const std::string log = fs::exists(killed / kLog) ? bytes_of(killed / kLog) : "";
    for (const bool read_only : {true, false, false}) CHECK(tells(refusal(killed, read_only), left, "20"));
    CHECK(bytes_of(killed / kDatabase) == database);
    CHECK(bytes_of(killed / kLog) == log);

    CHECK(Store::open({killed, true, nullptr, true})->read().sequence() == std::stoll(left));  // a reader accepts for itself
    CHECK(tells(refusal(killed), left, "20"));
    {
        auto store = Store::open({killed, false, nullptr, true});
        CHECK(store->verify().empty());
        CHECK(store->read().counts().documents == std::stoll(left));
        // The numbers of what is lost do not come back, and who saw them is told to begin anew.
        CHECK(store->read().sequence() == 21);
        CHECK_THROWS_AS(store->read().changes(20, 100), Error);
        CHECK(store->read().changes(0, 100).changes.size() == static_cast<std::size_t>(std::stoll(left)));
        add(*store, "new");
        CHECK(store->read().changes(21, 100).changes.size() == 1);
    }
    CHECK(refusal(killed).empty());
}

TEST_CASE("a log that was put back is taken as if nothing had been") {
    TemporaryFolder folder;
    {
        auto store = Store::open({folder / "kb", false});
        for (int i = 0; i < 5; ++i) add(*store, "d" + std::to_string(i));
        copy_as_killed(folder / "kb", folder / "killed");
    }
    fs::rename(folder / "killed" / kLog, folder / "away");
    CHECK_FALSE(refusal(folder / "killed").empty());
    fs::rename(folder / "away", folder / "killed" / kLog);
    CHECK(refusal(folder / "killed").empty());
    CHECK(last_change(folder / "killed") == 5);
}

TEST_CASE("what is whole opens, whatever the mark says") {
    TemporaryFolder folder;
    const fs::path kb = folder / "kb";
    {
        auto store = Store::open({kb, false});
        add(*store, "a");
        store->backup(folder / "backup")->publish();
    }
    fs::copy_file(kb / kDatabase, folder / "older");
    {
        auto store = Store::open({kb, false});
        add(*store, "b");
        add(*store, "c");
    }
    std::int64_t expected = 3;
    SECTION("closed, without its log") {
        fs::remove(kb / kLog);
        fs::remove(kb / "knowledge.sqlite3-shm");
    }
    SECTION("moved") {
        fs::rename(kb, folder / "elsewhere");
        fs::rename(folder / "elsewhere", kb);
    }
    SECTION("copied") {
        fs::copy(kb, folder / "copy", fs::copy_options::recursive);
        fs::remove_all(kb);
        fs::rename(folder / "copy", kb);
    }
    SECTION("without a mark") {
        fs::remove(kb / kMarkName);
    }
    SECTION("a mark that is cut") {
        fs::resize_file(kb / kMarkName, 20);
    }
    SECTION("a mark that is no file") {
        fs::remove(kb / kMarkName);
        fs::create_directory(kb / kMarkName);
    }
    SECTION("the database of an earlier time in its place") {
        fs::remove(kb / kLog);
        fs::remove(kb / kDatabase);
        fs::rename(folder / "older", kb / kDatabase);
        expected = 1;
    }
    SECTION("a backup in its place") {
        fs::remove(kb / kLog);
        fs::remove(kb / kDatabase);
        fs::rename(folder / "backup" / kDatabase, kb / kDatabase);
        expected = 1;
    }
    CHECK(refusal(kb, true).empty());
    CHECK(last_change(kb) == expected);
    CHECK(refusal(kb).empty());
    {
        auto store = Store::open({kb, false});
        add(*store, "z");
        CHECK(store->verify().empty());
    }
    CHECK(last_change(kb) == expected + 1);
}

TEST_CASE("a backup of the writer's own time may be put in the database's place") {
    TemporaryFolder folder;
    const fs::path kb = folder / "kb";
    {
        auto store = Store::open({kb, false});
        add(*store, "a");
        store->backup(folder / "backup")->publish();
        add(*store, "b");
    }
    fs::remove(kb / kLog);
    fs::copy_file(folder / "backup" / kDatabase, kb / kDatabase, fs::copy_options::overwrite_existing);
    CHECK(refusal(kb).empty());
    CHECK(last_change(kb) == 1);
}

TEST_CASE("a reader that holds the log back delays the mark, not the commits") {
    TemporaryFolder folder;
    auto store = Store::open({folder / "kb", false});
    {
        auto reader = Store::open({folder / "kb", true});
        auto old = reader->read();
        CHECK(old.sequence() == 0);
        for (int i = 0; i < 3; ++i) add(*store, "d" + std::to_string(i));
        CHECK_FALSE(fs::exists(folder / "kb" / kMarkName));
    }
    for (int i = 3; i < 8; ++i) add(*store, "d" + std::to_string(i));
    const auto mark = read_mark(folder / "kb");
    REQUIRE(mark);
    CHECK(mark->sequence == 8);
}

TEST_CASE("a mark that cannot be written costs no commit") {
    TemporaryFolder folder;
    auto store = Store::open({folder / "kb", false});
    fs::create_directory(folder / "kb" / kMarkName);
    add(*store, "a");
    CHECK(store->read().sequence() == 1);
}

TEST_CASE("an empty database beside a mark has lost what it held") {
    TemporaryFolder folder;
    add(*Store::open({folder / "kb", false}), "a");
    fs::remove(folder / "kb" / kLog);
    fs::resize_file(folder / "kb" / kDatabase, 0);
    CHECK(refusal(folder / "kb").find("knowledge.mark") != std::string::npos);
}
