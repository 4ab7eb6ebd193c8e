// The change feed and backups of a store: pages that end with transactions, removals that are kept so far and no further, copies
// that appear whole or not at all.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "core/error.hpp"
#include "store/backup.hpp"
#include "store/store.hpp"
#include "test_files.hpp"

using namespace rag::core;
using Catch::Contains;
using rag::test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

void add(WriteTransaction& write, const std::string& id, const std::string& text = "some text") {
    NewDocument document;
    document.id = id;
    document.text = text;
    document.metadata = "{}";
    const auto key = write.insert_document(document);
    write.insert_chunk(key,
                       {write.last_chunk_key() + 1, {0, 0, text.size(), 0, text.size()}, "", chunk_hash("", "", text, {}), {}});
}

void commit(Store& store, const std::function<void(WriteTransaction&)>& change) {
    auto write = store.write();
    change(write);
    write.commit();
}

std::string told(const Changes& changes) {
    std::string out;
    for (const auto& change : changes.changes) {
        out += fmt::format("{}{}@{} ", "+~-"[static_cast<int>(change.kind)], change.id, change.sequence);
    }
    return out + fmt::format("next {} of {}", changes.next, changes.last);
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

Code code_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.code();
    }
    return Code::kOk;
}

}  // namespace

TEST_CASE("links change both of their documents, if they change anything") {
    auto store = Store::open({});
    commit(*store, [](auto& write) { add(write, "a"), add(write, "b"), add(write, "c"); });
    const auto end = [&](const char* id) { return ChunkEnd{store->read().find_head(id)->key, ChunkEnd::kWhole}; };
    const ChunkEnd a = end("a"), b = end("b"), c = end("c");
    const auto link = [&](const ChunkEnd& from, const ChunkEnd& to, double weight) {
        commit(*store, [&](auto& write) { write.set_link({from, to, "t", weight}); });
    };
    link(a, c, 1);
    CHECK(told(store->read().changes(1, 100)) == "~a@2 ~c@2 next 2 of 2");
    link(a, c, 1);  // just so
    CHECK(told(store->read().changes(2, 100)) == "next 2 of 2");
    link(a, c, 2);
    CHECK(told(store->read().changes(2, 100)) == "~a@3 ~c@3 next 3 of 3");
    commit(*store, [&](auto& write) { write.set_link({a, b, "t", 1}), write.set_link({c, b, "t", 1}); });
    CHECK(told(store->read().changes(3, 100)) == "~a@4 ~b@4 ~c@4 next 4 of 4");
    commit(*store, [&](auto& write) { CHECK(write.remove_links(b, a, std::nullopt) == 0); });
    CHECK(told(store->read().changes(4, 100)) == "next 4 of 4");
    commit(*store, [&](auto& write) { CHECK(write.remove_links(a, b, std::nullopt) == 1); });
    CHECK(told(store->read().changes(4, 100)) == "~a@5 ~b@5 next 5 of 5");
    CHECK(store->verify().empty());
}

TEST_CASE("changes come in order, whole transactions at a time") {
    auto store = Store::open({});
    CHECK(told(store->read().changes(0, 10)) == "next 0 of 0");
    commit(*store, [](auto& write) { add(write, "a"), add(write, "b"); });
    commit(*store, [](auto& write) { add(write, "c"); });
    commit(*store, [](auto& write) { write.update_attributes(write.find_head("a")->key, "s", "", "{}", 1); });
    commit(*store, [](auto& write) { write.remove_document(write.find_head("b")->key); });
    commit(*store, [](auto& write) { add(write, "b"), write.touch_document(write.find_head("c")->key); });
    CHECK(told(store->read().changes(0, 100)) == "~a@3 -b@4 ~c@5 +b@5 next 5 of 5");
    CHECK(told(store->read().changes(0, 1)) == "~a@3 next 3 of 5");
    CHECK(told(store->read().changes(3, 2)) == "-b@4 ~c@5 +b@5 next 5 of 5");
    CHECK(told(store->read().changes(5, 1)) == "next 5 of 5");
    CHECK(code_of([&] { store->read().changes(6, 1); }) == Code::kInvalidArgument);
    CHECK(code_of([&] { store->read().changes(-1, 1); }) == Code::kInvalidArgument);
    CHECK(store->verify().empty());
}

TEST_CASE("the oldest removals go, and who needs them is told to begin anew") {
    TemporaryFolder folder;
    const auto database = folder / "kb" / "knowledge.sqlite3";
    commit(*Store::open({folder / "kb", false}), [](auto& write) { add(write, "a"), add(write, "b"); });
    // As many removals as are kept, and an eighth, each by its own transaction.
    const auto rows = std::to_string(kKeptRemovals + kKeptRemovals / 8);
    run_sql(database, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" + rows +
                          ") INSERT INTO removals SELECT i+1, 'gone-'||i FROM n;"
                          "INSERT INTO meta VALUES('removals', '" +
                          rows +
                          "');"
                          "UPDATE meta SET value=" +
                          rows + "+1 WHERE name='sequence'");
    auto store = Store::open({folder / "kb", false});
    CHECK(store->verify().empty());
    CHECK(store->read().changes(1, 1000000).changes.size() == static_cast<std::size_t>(kKeptRemovals + kKeptRemovals / 8));
    commit(*store, [](auto& write) { write.remove_document(write.find_head("a")->key); });
    CHECK(store->verify().empty());
    const auto last = kKeptRemovals + kKeptRemovals / 8 + 2;
    const auto kept_from = last - kKeptRemovals;
    CHECK(code_of([&] { store->read().changes(kept_from - 1, 10); }) == Code::kNotFound);
    CHECK(store->read().changes(kept_from, 1000000).changes.size() == static_cast<std::size_t>(kKeptRemovals));
    // A new copy passes over them in one go, whatever the limit.
    const auto first = store->read().changes(0, 1);
    CHECK(first.changes.size() == 1);
    CHECK(first.changes[0].id == "b");
    CHECK(first.next >= kept_from);
    CHECK(store->read().changes(first.next, 3).changes.size() == 3);
}

TEST_CASE("a base of format 1 tells what it has, and nothing of before") {
    TemporaryFolder folder;
    auto store = Store::open({folder / "kb", false});
    commit(*store, [](auto& write) { add(write, "a"); });
    commit(*store, [](auto& write) { write.set_meta("removals_from", "1"), write.touch_document(write.find_head("a")->key); });
    CHECK(told(store->read().changes(0, 1)) == "~a@2 next 2 of 2");
    CHECK(told(store->read().changes(1, 1)) == "~a@2 next 2 of 2");
}

TEST_CASE("a backup holds one state, and appears only when it is published") {
    TemporaryFolder folder;
    const bool memory = GENERATE(true, false);
    auto store = memory ? Store::open({}) : Store::open({folder / "kb", false});
    commit(*store, [](auto& write) {
        for (int i = 0; i < 200; ++i) add(write, "d" + std::to_string(i), std::string(3000, 'x'));
        write.set_file({"bm25", "index-1.bm25.seg", 1, 3});
        write.set_file({"vector", "../outside", 1, 3});
    });
    if (!memory) {
        std::ofstream(folder / "kb" / "index-1.bm25.seg") << "abc";
        std::ofstream(folder / "outside") << "abc";
    }
    commit(*store, [](auto& write) {
        for (int i = 0; i < 150; ++i) write.remove_document(write.find_head("d" + std::to_string(i))->key);
    });
    {
        const auto unpublished = store->backup(folder / "copy");
        CHECK_FALSE(fs::exists(folder / "copy"));
        CHECK(fs::exists(unpublished->folder() / "knowledge.sqlite3"));
    }
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == (memory ? 0 : 2));
    store->backup(folder / "copy/")->publish();
    const auto copy = Store::open({folder / "copy", false});
    CHECK(copy->read().counts().documents == 50);
    CHECK(copy->read().sequence() == 2);
    CHECK(told(copy->read().changes(1, 1000)) == told(store->read().changes(1, 1000)));
    CHECK(copy->verify().empty());
    CHECK(copy->read().files().size() == (memory ? 0 : 1));
    CHECK(fs::exists(folder / "copy" / "index-1.bm25.seg") == !memory);
    CHECK(fs::file_size(folder / "copy" / "knowledge.sqlite3") < 400000);

    CHECK(code_of([&] { store->backup(folder / "copy"); }) == Code::kAlreadyExists);
    CHECK(code_of([&] { store->backup(""); }) == Code::kInvalidArgument);
    CHECK(code_of([&] { store->backup(folder / "no" / "where"); }) == Code::kNotFound);
    CHECK(code_of([&] { store->backup(folder / "stopped", [](auto, auto) { return false; }); }) == Code::kStopped);
    CHECK_FALSE(fs::exists(folder / "stopped"));
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == (memory ? 1 : 3));
}

TEST_CASE("a backup that is under way is left alone by another to the same place") {
    TemporaryFolder folder;
    auto store = Store::open({});
    commit(*store, [](auto& write) { add(write, "a"); });
    auto first = store->backup(folder / "copy");
    auto second = store->backup(folder / "copy");
    CHECK(fs::exists(first->folder() / "knowledge.sqlite3"));
    first->publish();
    CHECK(code_of([&] { second->publish(); }) == Code::kAlreadyExists);
    second.reset();
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("compaction is stopped, or killed, without a trace, and readers go on") {
    TemporaryFolder folder;
    {
        auto store = Store::open({folder / "kb", false});
        commit(*store, [](auto& write) {
            for (int i = 0; i < 4000; ++i)
                add(write, "d" + std::to_string(i), std::string(4000, static_cast<char>('a' + i % 26)));
        });
        commit(*store, [](auto& write) {
            for (int i = 0; i < 4000; i += 2) write.remove_document(write.find_head("d" + std::to_string(i))->key);
        });
        const auto reader = store->read();
        CHECK(code_of([&] { store->vacuum([](auto, auto) { return false; }); }) == Code::kStopped);
        // Later, it may have been too quick to be stopped.
        int asked = 0;
        const auto code = code_of([&] { store->vacuum([&](auto, auto) { return ++asked < 2; }); });
        CHECK((code == Code::kStopped || code == Code::kOk));
        CHECK(store->read().counts().documents == 2000);
        CHECK(store->verify().empty());
        commit(*store, [](auto& write) { add(write, "later"); });
    }
    std::mt19937 random(9);
    int killed = 0;
    for (int round = 0; round < 6; ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
            try {
                Store::open({folder / "kb", false})->vacuum();
            } catch (...) {
                ::_exit(1);
            }
            ::_exit(0);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5 + random() % 60));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        CHECK((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
        killed += WIFSIGNALED(status) ? 1 : 0;
        auto reader = Store::open({folder / "kb", true});
        CHECK(reader->read().counts().documents == 2001);
        CHECK(reader->verify().empty());
    }
    CHECK(killed > 0);
    auto store = Store::open({folder / "kb", false});
    store->vacuum();
    store.reset();
    CHECK(fs::file_size(folder / "kb" / "knowledge.sqlite3") < 12000000);
}
