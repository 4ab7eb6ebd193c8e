// What an engine that goes over to other models keeps: the chunk length that its caller chose, or none where it follows the
// embedder; all models or none of those that are given together; nothing of a re-embedding that is not wanted any more.
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "../model/fake_backend.hpp"
#include "../model/model_files.hpp"
#include "engine_fixtures.hpp"
#include "model/classifier.hpp"
#include "model/decoder.hpp"
#include "model/encoder.hpp"
#include "reembed_documents.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;

namespace {

using Json = nlohmann::json;

/// Embedders of the same tokens, of which one takes 22 of a text and the other 18.
struct Embedders {
    FakeBackend long_backend, short_backend;
    TemporaryFolder folder;
    std::filesystem::path path = folder / "kb";
    std::shared_ptr<Encoder> longer = open_fake(fixture("tiny_bert"), long_backend), shorter;

    Embedders() {
        const auto changed = copy_model(fixture("tiny_bert"), folder);
        edit(changed / "sentence_bert_config.json", "24", "20");
        shorter = open_fake(changed, short_backend);
    }
    std::unique_ptr<Engine> open(std::shared_ptr<const Encoder> embedder, std::size_t tokens = 0, std::size_t overlap = 0) const {
        EngineOptions options;
        options.path = path;
        options.embedder = std::move(embedder);
        options.chunk_tokens = tokens;
        options.chunk_overlap = overlap;
        return Engine::open(options);
    }
    void execute(const std::string& sql) const {
        sqlite3* handle = nullptr;
        REQUIRE(sqlite3_open((path / "knowledge.sqlite3").c_str(), &handle) == SQLITE_OK);
        CHECK(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
        CHECK(sqlite3_changes(handle) > 0);
        sqlite3_close(handle);
    }
};

std::pair<int, int> cut_by(const Engine& engine) {
    const auto stats = Json::parse(engine.stats());
    return {stats["chunk_tokens"], stats["chunk_overlap"]};
}

std::size_t chunks_of(const Engine& engine) {
    return Json::parse(engine.stats())["chunks"];
}

}  // namespace

TEST_CASE("chunks that follow the embedder grow with it, those that were chosen grow to what was chosen") {
    RAG_NEEDS(fixture("tiny_bert"));
    struct Case {
        std::size_t tokens, overlap;
        std::pair<int, int> with_longer, with_shorter;
    };
    const auto [tokens, overlap, with_longer, with_shorter] =
        GENERATE(Case{0, 0, {22, 0}, {18, 0}}, Case{22, 0, {22, 0}, {18, 0}}, Case{21, 20, {21, 20}, {18, 17}},
                 Case{10, 3, {10, 3}, {10, 3}}, Case{0, 20, {22, 20}, {18, 17}});
    const bool reopened = GENERATE(false, true);
    CAPTURE(tokens, overlap, reopened);
    const Embedders embedders;
    auto engine = embedders.open(embedders.longer, tokens, overlap);
    add(*engine, reembed_prose(0, 20));
    CHECK(cut_by(*engine) == with_longer);
    const auto chunks = chunks_of(*engine);
    const auto go_over = [&](const std::shared_ptr<Encoder>& next, bool without_embedder) {
        if (reopened) {
            engine.reset();
            engine = embedders.open(without_embedder ? nullptr : next == embedders.longer ? embedders.shorter : embedders.longer);
        }
        engine->reembed(next);
    };
    for (const bool without_embedder : {false, true}) {
        go_over(embedders.shorter, without_embedder);
        CHECK(cut_by(*engine) == with_shorter);
        go_over(embedders.longer, without_embedder);
        CHECK(cut_by(*engine) == with_longer);
        CHECK(chunks_of(*engine) == chunks);
    }
    CHECK(engine->verify().ok);
}

TEST_CASE("a chosen length opens a base that went over to an embedder that takes less") {
    RAG_NEEDS(fixture("tiny_bert"));
    const Embedders embedders;
    const std::size_t overlap = GENERATE(0, 20);
    auto engine = embedders.open(embedders.longer, 21, overlap);
    add(*engine, reembed_prose(0, 5));
    engine->reembed(embedders.shorter);
    const auto cut = cut_by(*engine);
    CHECK(cut == std::pair(18, overlap == 0 ? 0 : 17));
    const auto chunks = chunks_of(*engine);
    engine.reset();
    engine = embedders.open(embedders.shorter, 21, overlap);
    CHECK(cut_by(*engine) == cut);
    const auto before = get(*engine, reembed_prose(0, 1)[0].id);
    upsert(*engine, reembed_prose(0, 5));  // cut as they are, so nothing is written
    CHECK(get(*engine, before->id)->updated_ms == before->updated_ms);
    CHECK(chunks_of(*engine) == chunks);
    engine->reembed(embedders.longer);  // and 21 is still what was chosen
    CHECK(cut_by(*engine) == std::pair(21, static_cast<int>(overlap)));
    engine->reembed(embedders.shorter);
    engine.reset();
    // Any other length that is too long, and this one in a base of its own, are errors.
    CHECK_THAT(failure_of([&] { embedders.open(embedders.shorter, 20); }).text, Contains("20") && Contains("18"));
    CHECK_THAT(failure_of([&] { embedders.open(embedders.shorter, 21, 21); }).text, Contains("21") && Contains("18"));
    EngineOptions fresh;
    fresh.path = embedders.folder / "fresh";
    fresh.embedder = embedders.shorter;
    fresh.chunk_tokens = 21;
    CHECK_THAT(failure_of([&] { Engine::open(fresh); }).text, Contains("21") && Contains("18"));
    CHECK_FALSE(std::filesystem::exists(*fresh.path));
    CHECK(cut_by(*embedders.open(embedders.shorter)) == cut);
}

TEST_CASE("a length that was chosen is forgotten when its caller chooses another") {
    RAG_NEEDS(fixture("tiny_bert"));
    const Embedders embedders;
    auto engine = embedders.open(embedders.longer, 20);
    add(*engine, reembed_prose(0, 5));
    engine->reembed(embedders.shorter);
    engine.reset();
    engine = embedders.open(embedders.shorter, 12);
    add(*engine, reembed_prose(5, 6));
    engine.reset();
    engine = embedders.open(embedders.shorter);
    CHECK(cut_by(*engine) == std::pair(12, 0));
    engine->reembed(embedders.longer);
    CHECK(cut_by(*engine) == std::pair(12, 0));
}

TEST_CASE("bases that do not tell who chose their chunks: as long as their embedder takes, they follow it") {
    RAG_NEEDS(fixture("tiny_bert"));
    const std::size_t tokens = GENERATE(0, 10);
    const Embedders embedders;
    auto engine = embedders.open(embedders.shorter, tokens);
    add(*engine, reembed_prose(0, 5));
    engine.reset();
    embedders.execute("DELETE FROM meta WHERE name LIKE '%\\_chosen' ESCAPE '\\'");
    engine = embedders.open(embedders.shorter);
    CHECK(cut_by(*engine) == std::pair(tokens == 0 ? 18 : 10, 0));
    engine->reembed(embedders.longer);
    CHECK(cut_by(*engine) == std::pair(tokens == 0 ? 22 : 10, 0));
}

TEST_CASE("of models that are given together all are taken or none") {
    const auto llama = fixture("tiny_llama"), cross = fixture("tiny_cross_encoder"), tiny = fixture("tiny_bert");
    RAG_NEEDS(llama);
    RAG_NEEDS(cross);
    RAG_NEEDS(tiny);
    FakeBackend backend;
    ModelOptions options;
    options.backend = &backend;
    const std::shared_ptr<Decoder> generator = Decoder::open(llama, options);
    const std::shared_ptr<const Classifier> reranker = Classifier::open(cross, options);
    const auto embedder = open_fake(tiny, backend), other = open_fake(tiny, backend, 16);
    auto engine = open_engine();
    engine->use({.embedder = embedder});
    add(*engine, reembed_prose(0, 5));
    const auto before = Json::parse(engine->stats());

    const auto failure = failure_of([&] { engine->use({.embedder = other, .reranker = reranker, .generator = generator}); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK_THAT(failure.text, Contains("re-embed"));
    CHECK(Json::parse(engine->stats()) == before);

    engine->use({.embedder = embedder, .reranker = reranker, .generator = generator});
    auto now = Json::parse(engine->stats());
    CHECK(now["reranker"] == reranker->describe());
    CHECK(now["generator"] == generator->describe());
    CHECK(now["embedder"] == embedder->describe());
    engine->use({.reranker = nullptr});
    now = Json::parse(engine->stats());
    CHECK(now["reranker"].is_null());
    CHECK(now["generator"] == generator->describe());
    engine->use({});
    CHECK(Json::parse(engine->stats()) == now);
}

TEST_CASE("what waits for another embedder goes when the base is re-embedded with the one it has") {
    RAG_NEEDS(fixture("tiny_bert"));
    const Embedders embedders;
    auto engine = embedders.open(embedders.longer);
    add(*engine, reembed_prose(0, 200));
    std::atomic<int> batches{0};
    embedders.short_backend.record->on_encode = [&] {
        if (++batches > 2) std::this_thread::sleep_for(std::chrono::milliseconds(120));  // the caller is asked every 50 ms
    };
    CHECK(failure_of([&] { engine->reembed(embedders.shorter, [&](auto, auto) { return batches < 3; }); }).code ==
          Code::kStopped);
    const auto stage = embedders.path / "knowledge.stage";
    REQUIRE(std::filesystem::exists(stage));
    engine.reset();
    engine = embedders.open(embedders.longer);
    CHECK(std::filesystem::exists(stage));  // an opening tells of it, and leaves it
    CHECK(Json::parse(engine->reembed(embedders.longer))["embedded"] == 0);
    CHECK_FALSE(std::filesystem::exists(stage));
    CHECK(engine->verify().ok);
}
