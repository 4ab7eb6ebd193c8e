// What must not slip through a re-embedding: damage in the base (it is named, not sealed with new checksums) or in what waits for
// the exchange (it is made anew), an adapter merged meanwhile (two models), and a caller who stops when all was committed.
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "../model/fake_backend.hpp"
#include "../model/model_files.hpp"
#include "engine_fixtures.hpp"
#include "model/encoder.hpp"
#include "reembed_documents.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;

namespace {

using Json = nlohmann::json;

void run_sql(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* handle = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &handle) == SQLITE_OK);
    sqlite3_busy_timeout(handle, 5000);
    char* why = nullptr;
    sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, &why);
    const std::string text = why == nullptr ? "" : why;
    const int changes = sqlite3_changes(handle);
    sqlite3_free(why);
    sqlite3_close(handle);
    REQUIRE(text == "");
    REQUIRE(changes > 0);
}

struct Base {
    FakeBackend old_backend, next_backend;
    TemporaryFolder folder;
    std::filesystem::path path = folder / "kb";
    std::shared_ptr<Encoder> before = open_fake(fixture("tiny_bert"), old_backend);
    std::shared_ptr<Encoder> next = open_fake(fixture("tiny_bert"), next_backend, 16);
    std::unique_ptr<Engine> engine;

    explicit Base(int documents) {
        open();
        add(*engine, reembed_prose(0, documents));
    }
    FakeRecord& record() const { return *next_backend.record; }
    std::filesystem::path database() const { return path / "knowledge.sqlite3"; }
    std::filesystem::path stage() const { return path / "knowledge.stage"; }
    void open(bool with_embedder = true) {
        engine.reset();
        EngineOptions options;
        options.path = path;
        if (with_embedder) options.embedder = before;
        engine = Engine::open(options);
    }
    /// With the engine closed meanwhile.
    void damage(const std::string& sql) {
        engine.reset();
        run_sql(database(), sql);
        open();
    }
    bool has_next() const { return Json::parse(engine->stats())["vectors_made_by"] == next->describe(); }
    /// The third batch is not embedded any more: two of them wait.
    void stop_in_the_middle() {
        int calls = 0;
        std::atomic<bool> stop{false};
        record().on_encode = [&] {
            if (++calls < 3) return;
            stop = true;
            std::this_thread::sleep_for(std::chrono::milliseconds(120));  // the caller is asked every 50 ms
        };
        const auto failure =
            failure_of([&] { engine->reembed(next, [&](std::uint64_t, std::uint64_t) { return !stop.load(); }); });
        record().on_encode = nullptr;
        REQUIRE(failure.code == Code::kStopped);
        REQUIRE(std::filesystem::exists(stage()));
    }
};

}  // namespace

TEST_CASE("re-embedding names a damaged document, and does not seal the damage") {
    RAG_NEEDS(fixture("tiny_bert"));
    const std::string of_p5 = " where id='p5'", chunk_of_p5 = " where document=(select key from documents where id='p5')";
    const std::string sql = GENERATE_COPY(
        "update documents set title='Xoat 5'" + of_p5, "update documents set metadata='{\"n\":6}'" + of_p5,
        "update documents set source='elsewhere'" + of_p5, "update documents set text=replace(text,'river','raver')" + of_p5,
        "update chunks set title_path='A heading'" + chunk_of_p5);
    CAPTURE(sql);
    Base base(12);
    base.damage(sql);
    const auto failure = failure_of([&] { base.engine->reembed(base.next); });
    CHECK(failure.code == Code::kCorrupt);
    CHECK_THAT(failure.text, Contains("\"p5\"") && Contains("upsert"));
    CHECK_FALSE(base.has_next());
    CHECK_FALSE(base.engine->verify().ok);
    upsert(*base.engine, reembed_prose(5, 6));
    base.engine->reembed(base.next);
    CHECK(base.has_next());
    CHECK(base.engine->verify().ok);
}

TEST_CASE("a damaged vector is replaced by re-embedding") {
    RAG_NEEDS(fixture("tiny_bert"));
    const std::string sql = GENERATE("update embeddings set vector=zeroblob(128) where chunk=3",
                                     "update embeddings set vector=zeroblob(3) where chunk=3",
                                     "update chunks set vector_checksum=vector_checksum+1 where key=3");
    CAPTURE(sql);
    Base base(12);
    base.damage(sql);
    REQUIRE_FALSE(base.engine->verify().ok);
    CHECK(Json::parse(base.engine->reembed(base.next))["documents"] == 12);
    CHECK(base.has_next());
    CHECK(base.engine->verify().ok);
}

TEST_CASE("a row that is damaged when its vectors wait already is named at the exchange") {
    RAG_NEEDS(fixture("tiny_bert"));
    Base base(200);
    int calls = 0;
    base.record().on_encode = [&] {
        if (++calls == 3) run_sql(base.database(), "update documents set title='Xoat' where id='p0'");
    };
    const auto failure = failure_of([&] { base.engine->reembed(base.next); });
    REQUIRE(calls >= 3);
    base.record().on_encode = nullptr;
    CHECK(failure.code == Code::kCorrupt);
    CHECK_THAT(failure.text, Contains("\"p0\"") && Contains("upsert"));
    CHECK_FALSE(base.has_next());
    upsert(*base.engine, reembed_prose(0, 1));
    const auto report = Json::parse(base.engine->reembed(base.next));
    CHECK(report["taken_over"] > 100);
    CHECK(base.engine->verify().ok);
}

TEST_CASE("damaged vectors that wait are made anew by the next call") {
    RAG_NEEDS(fixture("tiny_bert"));
    const std::string first = " document=(select min(key) from documents)";
    const std::string sql =
        GENERATE_COPY("update chunks set vector=zeroblob(64) where" + first, "delete from chunks where" + first,
                      std::string("update documents set after=zeroblob(length(after)) where key=1"));
    CAPTURE(sql);
    Base base(200);
    base.stop_in_the_middle();
    run_sql(base.stage(), sql);
    const auto report = Json::parse(base.engine->reembed(base.next));
    CHECK(report["taken_over"] > 10);
    CHECK(base.engine->verify().ok);

    // Damaged between the last look at them and the exchange: that call fails, not all after it.
    Base other(200);
    int calls = 0;
    other.record().on_encode = [&] {
        if (++calls == 3) run_sql(other.stage(), sql);
    };
    const auto failure = failure_of([&] { other.engine->reembed(other.next); });
    REQUIRE(calls >= 3);
    other.record().on_encode = nullptr;
    CHECK(failure.code == Code::kIo);
    CHECK_THAT(failure.text, Contains("\"p0\"") && Contains("re-embed again"));
    CHECK_FALSE(other.has_next());
    CHECK(Json::parse(other.engine->reembed(other.next))["taken_over"] == 199);
    CHECK(other.engine->verify().ok);
}

TEST_CASE("what waits for an embedder with an adapter stays when the base is opened, and goes when it is done") {
    RAG_NEEDS(fixture("tiny_bert"));
    RAG_NEEDS(fixture("tiny_bert_lora"));
    Base base(200);
    base.next = open_fake(fixture("tiny_bert"), base.next_backend);
    base.next->load_adapter(fixture("tiny_bert_lora"), "style");
    base.next->merge_adapter("style");
    REQUIRE(base.next->fingerprint().starts_with(base.before->fingerprint()));
    base.stop_in_the_middle();
    base.open(false);
    CHECK(std::filesystem::exists(base.stage()));
    const auto left = base.folder / "left";
    std::filesystem::copy_file(base.stage(), left);
    CHECK(Json::parse(base.engine->reembed(base.next))["taken_over"] > 10);
    CHECK_FALSE(std::filesystem::exists(base.stage()));
    // As of one that was killed when all was committed.
    base.engine.reset();
    std::filesystem::copy_file(left, base.stage());
    base.open(false);
    CHECK_FALSE(std::filesystem::exists(base.stage()));
}

TEST_CASE("an adapter that is merged while a base is re-embedded is refused, early or late") {
    RAG_NEEDS(fixture("tiny_bert"));
    RAG_NEEDS(fixture("tiny_bert_lora"));
    const bool late = GENERATE(false, true);
    CAPTURE(late);
    Base base(200);
    base.next->load_adapter(fixture("tiny_bert_lora"), "style");
    base.record().on_encode = [] { std::this_thread::sleep_for(std::chrono::milliseconds(70)); };
    bool merged = false;
    const auto failure = failure_of([&] {
        base.engine->reembed(base.next, [&](std::uint64_t done, std::uint64_t total) {
            if (!merged && done > 0 && (done == total || !late)) {
                base.next->merge_adapter("style");
                merged = true;
            }
            return true;
        });
    });
    base.record().on_encode = nullptr;
    REQUIRE(merged);
    CHECK(failure.code == Code::kInvalidState);
    CHECK_THAT(failure.text, Contains("adapter") && Contains("re-embed again"));
    CHECK_FALSE(base.has_next());
    CHECK(base.engine->verify().ok);
    // Either model's vectors alone.
    base.next->unmerge_adapter();
    const auto taken_over = Json::parse(base.engine->reembed(base.next))["taken_over"];
    CHECK((taken_over == 200) == late);
    CHECK(base.engine->verify().ok);
}

TEST_CASE("when the exchange is committed nobody is asked any more, and who stops then comes too late") {
    RAG_NEEDS(fixture("tiny_bert"));
    Base base(20);
    int after = 0;
    base.engine->reembed(base.next, [&](std::uint64_t, std::uint64_t) {
        after += base.has_next() ? 1 : 0;
        return after == 0;
    });
    CHECK(after == 0);
    CHECK(base.has_next());

    // The caller is being asked while it is committed.
    const bool throws = GENERATE(false, true);
    CAPTURE(throws);
    Base other(20);
    std::atomic<bool> added{false};
    bool came = false;
    other.record().on_encode = [&] {
        if (added) std::this_thread::sleep_for(std::chrono::milliseconds(150));  // until the caller is asked
    };
    const auto failure = failure_of([&] {
        other.engine->reembed(other.next, [&](std::uint64_t done, std::uint64_t total) {
            if (done == 0 || done < total) return true;
            if (!added) {  // the last round has this one to embed
                add(*other.engine, reembed_prose(100, 101));
                added = true;
                return true;
            }
            // On a slow machine it is asked once more before the exchange, which does not begin until that is answered.
            const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
            while (!came && std::chrono::steady_clock::now() < end) came = other.has_next();
            if (!came) return true;
            if (throws) throw std::runtime_error("too late");
            return false;
        });
    });
    other.record().on_encode = nullptr;
    REQUIRE(came);
    CHECK(failure.code == Code::kOk);
    CHECK(other.has_next());
    CHECK(other.engine->count() == 21);
    CHECK(other.engine->verify().ok);
}
