// The store does what it says: transactions, snapshots, keys that never come back, one writer, readers beside it.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <deque>
#include <fstream>
#include <optional>
#include <thread>

#include "core/courtesy.hpp"
#include "core/error.hpp"
#include "core/thread_pool.hpp"
#include "store/paced_files.hpp"
#include "store/store.hpp"
#include "test_files.hpp"

using namespace rag::core;
using rag::test::TemporaryFolder;

namespace {

std::unique_ptr<Store> open_store(const std::filesystem::path& folder, bool read_only = false) {
    return Store::open({folder, read_only});
}

std::int64_t add_document(WriteTransaction& write, const std::string& id, const std::string& text,
                          const std::vector<float>& vector = {}) {
    NewDocument document;
    const std::string title = "title of " + id;
    document.id = id;
    document.title = title;
    document.text = text;
    document.source = "file:///a";
    document.language = "en";
    document.metadata = R"({"n":1})";
    document.created_ms = 5;
    document.updated_ms = 7;
    const auto key = write.insert_document(document);
    const std::size_t half = text.size() / 2;
    const auto last = write.last_chunk_key();
    write.insert_chunk(key, {last + 1, {0, 0, half, 0, half}, "", chunk_hash(title, "", text.substr(0, half), {}), vector});
    write.insert_chunk(
        key, {last + 2, {1, half, text.size(), 0, text.size()}, "A > B", chunk_hash(title, "A > B", text.substr(half), {}), {}});
    return key;
}

Code code_of(const std::function<void()>& call, std::string* text = nullptr) {
    try {
        call();
    } catch (const Error& error) {
        if (text != nullptr) *text = error.what();
        return error.code();
    }
    return Code::kOk;
}

}  // namespace

TEST_CASE("a document is read back as it was written, from a folder and from memory") {
    TemporaryFolder folder;
    const bool memory = GENERATE(false, true);
    auto store = memory ? Store::open({}) : open_store(folder / "kb");
    {
        auto write = store->write();
        write.set_meta("dimension", "3");
        add_document(write, "a", "hello world", {1, 2, 3});
        CHECK(write.counts().chunks == 2);
        write.commit();
    }
    auto read = store->read();
    CHECK(read.sequence() == 1);
    const auto counts = read.counts();
    CHECK(counts.documents == 1);
    CHECK(counts.chunks == 2);
    CHECK(counts.embeddings == 1);
    const auto document = read.find_document("a");
    REQUIRE(document);
    CHECK(document->text == "hello world");
    CHECK(document->title == "title of a");
    CHECK(document->metadata == R"({"n":1})");
    CHECK(document->source == "file:///a");
    CHECK(document->language == "en");
    CHECK(document->added == 1);
    CHECK(document->created_ms == 5);
    CHECK(document->updated_ms == 7);
    CHECK_FALSE(read.find_document("b"));
    const auto keys = read.chunk_keys();
    REQUIRE(keys.size() == 2);
    const auto chunk = read.find_chunk(keys[1]);
    REQUIRE(chunk);
    CHECK(chunk->text == " world");
    CHECK(chunk->document_id == "a");
    CHECK(chunk->ordinal == 1);
    CHECK(chunk->start == 5);
    CHECK(chunk->stop == 11);
    CHECK(chunk->parent_start == 0);
    CHECK(chunk->parent_stop == 11);
    CHECK(chunk->title_path == "A > B");
    CHECK(read.embedded_keys() == std::vector<std::int64_t>{keys[0]});
    std::vector<float> vector(3);
    CHECK(read.read_vector(keys[0], vector));
    CHECK(vector == std::vector<float>{1, 2, 3});
    CHECK_FALSE(read.read_vector(keys[1], vector));
    std::vector<std::string> texts;
    read.each_chunk_text(
        keys, [&](std::size_t, std::string_view, std::string_view, std::string_view text) { texts.emplace_back(text); });
    CHECK(texts == std::vector<std::string>{"hello", " world"});
}

TEST_CASE("without commit nothing happened, and keys never come back") {
    TemporaryFolder folder;
    auto store = open_store(folder / "kb");
    {
        auto write = store->write();
        add_document(write, "gone", "never stored");
    }
    CHECK(store->read().counts().documents == 0);
    CHECK(store->read().sequence() == 0);
    std::vector<std::int64_t> first;
    {
        auto write = store->write();
        const auto key = add_document(write, "a", "one text");
        first = write.chunks_of(key);
        write.commit();
    }
    {
        auto write = store->write();
        CHECK(write.remove_document(write.find_head("a")->key) == first);
        add_document(write, "a", "one text");
        write.commit();
    }
    const auto second = store->read().chunk_keys();
    REQUIRE(second.size() == 2);
    CHECK(second[0] > first[1]);
    CHECK(store->verify().empty());
}

TEST_CASE("chunks change places, and the document keeps its key") {
    auto store = Store::open({});
    std::int64_t key = 0;
    std::vector<std::int64_t> chunks;
    {
        auto write = store->write();
        key = add_document(write, "a", "one two ");
        chunks = write.chunks_of(key);
        write.commit();
    }
    const auto before = store->read().find_document("a");
    {
        auto write = store->write();
        NewDocument document;
        document.id = "a";
        document.title = "title of a";
        document.text = "two one ";
        document.metadata = "{}";
        document.created_ms = before->created_ms;
        document.updated_ms = 9;
        write.update_document(key, document);
        // Each takes the place of the other.
        const std::vector<std::pair<std::int64_t, ChunkPlace>> places = {{chunks[0], {1, 4, 8, 4, 8}},
                                                                         {chunks[1], {0, 0, 4, 0, 4}}};
        write.move_chunks(places);
        write.commit();
    }
    auto read = store->read();
    CHECK(read.find_head("a")->key == key);
    CHECK(read.chunks_of(key) == std::vector<std::int64_t>{chunks[1], chunks[0]});
    CHECK(read.find_chunk(chunks[0])->text == "one ");
    CHECK(read.find_chunk(chunks[0])->start == 4);
    CHECK(read.find_document("a")->added == 1);
    CHECK(read.find_document("a")->sequence == 2);
    CHECK(store->verify().empty());
}

TEST_CASE("a snapshot keeps its state while a writer goes on") {
    TemporaryFolder folder;
    auto store = open_store(folder / "kb");
    const auto add = [&](const std::string& id) {
        auto write = store->write();
        add_document(write, id, "some text");
        write.commit();
    };
    add("a");
    auto old_state = store->read();
    CHECK(old_state.counts().documents == 1);
    add("b");
    CHECK(old_state.counts().documents == 1);
    CHECK(store->read().counts().documents == 2);
}

TEST_CASE("one writer, and readers that see the last commit") {
    TemporaryFolder folder;
    auto writer = open_store(folder / "kb");
    std::string text;
    CHECK(code_of([&] { open_store(folder / "kb"); }, &text) == Code::kBusy);
    CHECK(text.find(std::to_string(getpid())) != std::string::npos);

    auto reader = open_store(folder / "kb", true);
    CHECK(code_of([&] { reader->write(); }) == Code::kReadOnly);
    CHECK(reader->read().counts().documents == 0);
    const auto before = reader->data_version();
    CHECK(reader->data_version() == before);
    {
        auto write = writer->write();
        add_document(write, "a", "some text");
        write.commit();
    }
    CHECK(reader->data_version() != before);
    CHECK(reader->read().counts().documents == 1);
    writer.reset();
    CHECK(reader->read().find_document("a"));
    CHECK(open_store(folder / "kb")->read().counts().documents == 1);
}

TEST_CASE("the lock of a process goes with the process, and a busy one is named") {
    TemporaryFolder folder;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        auto store = open_store(folder / "kb");
        char byte = 1;
        if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
        ::pause();
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    std::string text;
    CHECK(code_of([&] { open_store(folder / "kb"); }, &text) == Code::kBusy);
    CHECK(text.find(std::to_string(child)) != std::string::npos);
    CHECK(code_of([&] { open_store(folder / "kb", true); }) == Code::kOk);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    CHECK(code_of([&] { open_store(folder / "kb"); }) == Code::kOk);
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_CASE("derived files are listed, replaced and swept") {
    TemporaryFolder folder;
    const auto kb = folder / "kb";
    auto store = open_store(kb);
    {
        auto write = store->write();
        CHECK_FALSE(write.set_file({"bm25", "index-1.bm25.seg", 1, 10}));
        write.commit();
    }
    {
        auto write = store->write();
        const auto former = write.set_file({"bm25", "index-2.bm25.seg", 2, 20});
        REQUIRE(former);
        CHECK(former->name == "index-1.bm25.seg");
        write.commit();
    }
    CHECK(store->read().sequence() == 0);  // the content did not change
    const auto touch = [&](const char* name) { std::ofstream(kb / name) << "x"; };
    touch("index-1.bm25.seg");
    touch("index-2.bm25.seg");
    touch("index-7.vector.seg.Ab12cd");
    touch("notes.txt");
    store->sweep();
    CHECK_FALSE(std::filesystem::exists(kb / "index-1.bm25.seg"));
    CHECK(std::filesystem::exists(kb / "index-2.bm25.seg"));
    CHECK_FALSE(std::filesystem::exists(kb / "index-7.vector.seg.Ab12cd"));
    CHECK(std::filesystem::exists(kb / "notes.txt"));
}

TEST_CASE("a folder that cannot be written to is read all the same") {
    TemporaryFolder folder;
    const auto kb = folder / "kb";
    {
        auto store = open_store(kb);
        auto write = store->write();
        add_document(write, "a", "some text");
        write.commit();
    }
    namespace fs = std::filesystem;
    fs::permissions(folder.path(), fs::perms(0755));
    for (const auto& entry : fs::directory_iterator(kb)) fs::permissions(entry.path(), fs::perms(0444));
    fs::permissions(kb, fs::perms(0555));
    const pid_t child = ::fork();
    if (child == 0) {
        // Root may write everywhere, so root becomes somebody else first.
        if (::geteuid() == 0 && (::setegid(65534) != 0 || ::seteuid(65534) != 0)) ::_exit(9);
        int result = 1;
        try {
            auto store = open_store(kb, true);
            result = store->read().find_document("a") ? 0 : 2;
            if (!store->verify().empty()) result = 3;
        } catch (const Error& error) {
            result = 4;
        }
        if (code_of([&] { open_store(kb); }) != Code::kIo) result = 5;
        ::_exit(result);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
    fs::permissions(kb, fs::perms(0755));
}

TEST_CASE("a reader who may not write sees what a writer commits that came later") {
    TemporaryFolder folder;
    const auto kb = folder / "kb";
    namespace fs = std::filesystem;
    {
        auto store = open_store(kb);
        auto write = store->write();
        add_document(write, "a", "some text");
        write.commit();
    }
    const bool log_is_there = GENERATE(true, false);
    if (!log_is_there) {
        fs::remove(kb / "knowledge.sqlite3-wal");
        fs::remove(kb / "knowledge.sqlite3-shm");
    }
    fs::permissions(folder.path(), fs::perms(0755));
    fs::permissions(kb, fs::perms(0555));
    int opened[2], written[2];
    REQUIRE(::pipe(opened) == 0);
    REQUIRE(::pipe(written) == 0);
    char byte = 0;
    const pid_t child = ::fork();
    if (child == 0) {
        if (::geteuid() == 0 && (::setegid(65534) != 0 || ::seteuid(65534) != 0)) ::_exit(9);
        int result = 1;
        try {
            auto store = open_store(kb, true);
            result = store->read().find_document("a") ? 0 : 2;
            const auto version = store->data_version();
            if (::write(opened[1], &byte, 1) != 1 || ::read(written[0], &byte, 1) != 1) ::_exit(8);
            if (store->data_version() == version) result = 3;
            if (!store->read().find_document("b")) result = 4;
            if (!store->verify().empty()) result = 5;
        } catch (const Error& error) {
            result = 6;
        }
        ::_exit(result);
    }
    REQUIRE(::read(opened[0], &byte, 1) == 1);
    fs::permissions(kb, fs::perms(0755));
    const bool closed = GENERATE(true, false);
    auto store = open_store(kb);
    {
        auto write = store->write();
        add_document(write, "b", "more text");
        write.commit();
    }
    store->vacuum();
    if (closed) store.reset();
    REQUIRE(::write(written[1], &byte, 1) == 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
    for (const int descriptor : {opened[0], opened[1], written[0], written[1]}) ::close(descriptor);
}

TEST_CASE("many threads read while one writes") {
    TemporaryFolder folder;
    const bool memory = GENERATE(false, true);
    auto store = memory ? Store::open({}) : open_store(folder / "kb");
    std::atomic<bool> done{false};
    std::atomic<int> bad{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 4; ++i) {
        readers.emplace_back([&] {
            std::int64_t last = 0;
            while (!done) {
                auto read = store->read();
                const auto counts = read.counts();
                // A transaction adds two documents of two chunks: a state in between must never show.
                if (counts.documents % 2 != 0 || counts.chunks != counts.documents * 2 || counts.documents < last) ++bad;
                last = counts.documents;
            }
        });
    }
    for (int i = 0; i < 50; ++i) {
        auto write = store->write();
        add_document(write, "a" + std::to_string(i), "some text");
        add_document(write, "b" + std::to_string(i), "some text");
        write.commit();
    }
    done = true;
    for (auto& reader : readers) reader.join();
    CHECK(bad == 0);
    CHECK(store->read().counts().documents == 100);
}

TEST_CASE("vacuum gives space back") {
    TemporaryFolder folder;
    auto store = open_store(folder / "kb");
    {
        auto write = store->write();
        for (int i = 0; i < 200; ++i) add_document(write, std::to_string(i), std::string(20000, 'x'));
        write.commit();
    }
    {
        auto write = store->write();
        for (int i = 0; i < 199; ++i) write.remove_document(write.find_head(std::to_string(i))->key);
        write.commit();
    }
    const auto key_before = store->read().chunk_keys();
    store->vacuum();
    CHECK(std::filesystem::file_size(folder / "kb" / "knowledge.sqlite3") < 200000);
    CHECK(store->read().chunk_keys() == key_before);
}

TEST_CASE("what SQLite writes gives way between pages where searches keep all cores busy") {
    const auto switches = [] {
        rusage usage{};
        REQUIRE(::getrusage(RUSAGE_THREAD, &usage) == 0);
        return usage.ru_nvcsw;
    };
    Courtesy courtesy;
    std::deque<Courtesy::Guest> searches;
    for (std::size_t i = 0; i < available_cpus(); ++i) searches.emplace_back(courtesy);
    const std::string text(4000, 'x');
    const auto write = [&](bool paced) {
        TemporaryFolder folder;
        auto store = Store::open({folder / "kb", false});
        Pace pace(courtesy, 1);
        pace.give_way();
        const long before = switches();
        {
            std::optional<PacedWrites> scope;
            if (paced) scope.emplace(pace);
            auto transaction = store->write();
            for (int i = 0; i < 3000; ++i) add_document(transaction, std::to_string(i), text);
            transaction.commit();
        }
        const long after = switches();
        CHECK(store->read().counts().documents == 3000);
        CHECK(store->verify().empty());
        return after - before;
    };
    // 12 MB of pages take tens of milliseconds, and a pause comes after a quarter of one.
    CHECK(write(true) > write(false) + 10);
}
