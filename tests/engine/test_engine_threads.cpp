// Threads, processes and fork: many search while one writes, another process reads what was committed, a child refuses.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "engine_fixtures.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;

TEST_CASE("searches go on while one thread writes, and see whole documents") {
    TemporaryFolder folder;
    const bool memory = GENERATE(true, false);
    auto engine = memory ? open_engine() : open_engine(folder / "kb");
    add_numbered(*engine, 0, 200);
    std::atomic<bool> done{false};
    std::atomic<int> bad{0};
    std::atomic<int> searches{0};
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (std::uint32_t i = 0; !done; ++i) {
                // Documents 0 to 99 are replaced over and over by equal ones: each must be found at every moment.
                const std::uint32_t n = (i * 7 + t * 31) % 100;
                if (!found_everywhere(*engine, n)) ++bad;
                Query query;
                const auto vector = vector_of(n);
                const std::string text = "marker" + std::to_string(n) + " ordinary";
                query.text = text;
                query.vector = vector;
                query.k = 5;
                const auto hits = engine->search(query);
                if (hits.size() != 5 || hits[0].document_id != "doc" + std::to_string(n)) ++bad;
                ++searches;
            }
        });
    }
    for (std::uint32_t round = 0; round < 30; ++round) {
        std::vector<Document> batch;
        for (std::uint32_t n = 0; n < 100; n += 3) {
            Document document = numbered(n);
            document.title = "round " + std::to_string(round);  // so that it is not the same
            batch.push_back(document);
        }
        upsert(*engine, batch);
        add_numbered(*engine, 1000 + round * 10, 1010 + round * 10);
        remove(*engine, {"doc" + std::to_string(1000 + round * 10)});
    }
    done = true;
    for (auto& thread : threads) thread.join();
    CHECK(bad == 0);
    CHECK(searches > 0);
    CHECK(engine->count() == 200 + 30 * 9);
    CHECK(engine->verify().ok);
}

TEST_CASE("writers wait for one another") {
    auto engine = open_engine();
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (std::uint32_t i = 0; i < 10; ++i) add_numbered(*engine, t * 1000 + i * 10, t * 1000 + i * 10 + 10);
        });
    }
    for (auto& thread : threads) thread.join();
    CHECK(engine->count() == 400);
    CHECK(engine->verify().ok);
}

TEST_CASE("a read-only engine beside the writer sees every commit") {
    TemporaryFolder folder;
    auto writer = open_engine(folder / "kb");
    add_numbered(*writer, 0, 50);
    auto reader = open_engine(folder / "kb", true);
    for (std::uint32_t n = 0; n < 50; ++n) CHECK(found_everywhere(*reader, n));
    add_numbered(*writer, 50, 60);
    CHECK(found_everywhere(*reader, 55));
    remove(*writer, {"doc5"});
    CHECK(search_text(*reader, "marker5").empty());
    CHECK(search_vector(*reader, vector_of(5), 1).front().document_id != "doc5");
    Document changed = numbered(6);
    changed.text = "about walruses";
    upsert(*writer, {changed});
    CHECK(search_text(*reader, "walruses").size() == 1);
    CHECK(search_text(*reader, "marker6").empty());
    writer->compact();
    CHECK(found_everywhere(*reader, 30));
    writer.reset();
    CHECK(found_everywhere(*reader, 31));
    CHECK(reader->verify().ok);
}

TEST_CASE("another process writes, this one reads") {
    TemporaryFolder folder;
    int step[2];
    int ready[2];
    REQUIRE(::pipe(step) == 0);
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        char byte = 0;
        auto engine = open_engine(folder / "kb");
        for (std::uint32_t n = 0; n < 5; ++n) {
            add_numbered(*engine, n * 10, n * 10 + 10);
            if (::write(ready[1], "r", 1) != 1 || ::read(step[0], &byte, 1) != 1) ::_exit(1);
        }
        ::_exit(0);  // without closing: nothing may depend on it
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    auto reader = open_engine(folder / "kb", true);
    CHECK(failure_of([&] { open_engine(folder / "kb"); }).code == Code::kBusy);
    for (std::uint32_t n = 0; n < 5; ++n) {
        CHECK(reader->count() == n * 10 + 10);
        CHECK(found_everywhere(*reader, n * 10 + 3));
        REQUIRE(::write(step[1], "s", 1) == 1);
        if (n < 4) REQUIRE(::read(ready[0], &byte, 1) == 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    for (const int descriptor : {step[0], step[1], ready[0], ready[1]}) ::close(descriptor);
    auto writer = open_engine(folder / "kb");
    CHECK(writer->count() == 50);
    CHECK(writer->verify().ok);
}

TEST_CASE("a child of fork is refused, and the parent does not notice") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    add_numbered(*engine, 0, 20);
    int answer[2];
    REQUIRE(::pipe(answer) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto failure = failure_of([&] { search_text(*engine, "marker3"); });
        const bool refused = failure.code == Code::kInvalidState && failure.text.find("fork") != std::string::npos &&
                             failure_of([&] { engine->close(); }).code == Code::kInvalidState;
        engine.reset();
        if (::write(answer[1], refused ? "y" : "n", 1) != 1) ::_exit(1);
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(answer[0], &byte, 1) == 1);
    CHECK(byte == 'y');
    ::waitpid(child, nullptr, 0);
    for (const int descriptor : answer) ::close(descriptor);
    CHECK(failure_of([&] { open_engine(folder / "kb"); }).code == Code::kBusy);
    add_numbered(*engine, 20, 30);
    CHECK(found_everywhere(*engine, 25));
    CHECK(engine->verify().ok);
}

TEST_CASE("after close every call is refused, and closing twice is fine") {
    TemporaryFolder folder;
    auto engine = open_engine(folder / "kb");
    add_numbered(*engine, 0, 3);
    engine->close();
    engine->close();
    for (const auto& failure : {failure_of([&] { search_text(*engine, "x"); }), failure_of([&] { add_numbered(*engine, 5, 6); }),
                                failure_of([&] { engine->count(); }), failure_of([&] { engine->stats(); }),
                                failure_of([&] { engine->verify(); }), failure_of([&] { engine->compact(); })}) {
        CHECK(failure.code == Code::kInvalidState);
        CHECK_THAT(failure.text, Contains("closed"));
    }
    CHECK(found_everywhere(*open_engine(folder / "kb"), 1));
}
