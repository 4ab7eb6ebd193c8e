// Another embedder for a knowledge base: the same as a fresh one made with it, old answers until then, writes beside it, what is
// left when it is stopped, fails or is killed; and other models for an engine that runs.
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "../model/fake_backend.hpp"
#include "../model/model_files.hpp"
#include "engine/answer.hpp"
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

std::vector<Hit> find(const Engine& engine, SearchMode mode, const std::string& text, std::size_t k = 10) {
    Query query;
    query.mode = mode;
    query.text = text;
    query.k = k;
    query.candidates = 5000;  // all: which of equal ones are among the first hundred depends on their keys
    return engine.search(query);
}

const std::vector<std::string>& questions() {
    static const std::vector<std::string> all = {"river mill 3", "the old boat",  "number 17 of the mill",
                                                 "boat river",   "river 5 river", "a heading and the mill"};
    return all;
}

std::string text_of(const std::vector<Hit>& hits) {
    std::string out;
    for (const Hit& hit : hits)
        out += fmt::format("{} {:.5f} {}-{} {};", hit.id, static_cast<double>(hit.score), hit.start, hit.end, hit.title_path);
    return out;
}

/// All that searches in every mode find. Chunks of equal scores stand in the order of their keys, and of the last ones it depends
/// on that which are among the first k: so the scores, and all that are better than the last one.
std::string answers(const Engine& engine) {
    std::string out;
    for (const auto mode : {SearchMode::kVector, SearchMode::kHybrid, SearchMode::kBm25}) {
        for (const auto& question : questions()) {
            const auto hits = find(engine, mode, question, 30);
            std::vector<std::string> names;
            for (const Hit& hit : hits) {
                out += fmt::format("{:.4f} ", static_cast<double>(hit.score));
                if (hit.score > hits.back().score + 1e-4F)
                    names.push_back(fmt::format("{} {}-{} {};", hit.id, hit.start, hit.end, hit.title_path));
            }
            std::ranges::sort(names);
            for (const auto& name : names) out += name;
            out += "\n";
        }
    }
    return out;
}

/// As a truth, so that a failure does not print pages.
bool same_answers(const Engine& a, const Engine& b) {
    const std::string one = answers(a), other = answers(b);
    if (one == other) return true;
    const auto at = static_cast<std::size_t>(std::ranges::mismatch(one, other).in1 - one.begin());
    const auto from = at < 200 ? 0 : at - 200;
    UNSCOPED_INFO(one.substr(from, 400) << "\nand\n" << other.substr(from, 400));
    return false;
}

std::vector<DocumentInput> inputs_of(const std::vector<Document>& documents, TextKind kind) {
    auto out = inputs(documents);
    for (auto& input : out) input.kind = kind;
    return out;
}

/// Prose of one chunk and of many, Markdown, a title.
void fill(Engine& engine, int from, int to) {
    std::vector<std::string> ids;
    engine.add(inputs_of(reembed_prose(from, to), TextKind::kText), {}, ids);
    engine.add(inputs_of(reembed_markdown(from, to), TextKind::kMarkdown), {}, ids);
}

struct Models {
    FakeBackend old_backend, narrow_backend, short_backend;  // each with a record of its own
    TemporaryFolder folder;
    std::shared_ptr<Encoder> before, narrow, shorter;  // narrow: 16 dimensions, the same chunks. shorter: 20 tokens instead of 24

    Models() {
        const auto tiny = fixture("tiny_bert");
        before = open_fake(tiny, old_backend);
        narrow = open_fake(tiny, narrow_backend, 16);
        const auto changed = copy_model(tiny, folder);
        edit(changed / "sentence_bert_config.json", "24", "20");
        shorter = open_fake(changed, short_backend);
    }
    FakeRecord& record_of(const std::shared_ptr<Encoder>& encoder) const {
        return *(encoder == narrow ? narrow_backend : encoder == shorter ? short_backend : old_backend).record;
    }
};

std::unique_ptr<Engine> open_with(std::shared_ptr<const Encoder> encoder, const std::optional<std::filesystem::path>& path = {},
                                  bool read_only = false) {
    EngineOptions options;
    options.path = path;
    options.embedder = std::move(encoder);
    options.read_only = read_only;
    return Engine::open(options);
}

}  // namespace

TEST_CASE("a base that was re-embedded finds what a fresh one finds") {
    RAG_NEEDS(fixture("tiny_bert"));
    Models models;
    const bool narrow = GENERATE(true, false);
    const bool in_memory = GENERATE(true, false);
    CAPTURE(narrow, in_memory);
    const auto next = narrow ? models.narrow : models.shorter;
    TemporaryFolder base;
    const auto path = in_memory ? std::optional<std::filesystem::path>() : base / "kb";
    auto engine = open_with(models.before, path);
    fill(*engine, 0, 60);
    const auto before = answers(*engine);
    const auto fresh = open_with(next);
    fill(*fresh, 0, 60);
    auto& texts = models.record_of(next).texts;
    texts.clear();

    const auto report = Json::parse(engine->reembed(next));
    INFO(report.dump());
    CHECK(report["documents"] == 120);
    CHECK(report["embedded"] == report["chunks"]);
    CHECK(report["embedded"] == texts.size());
    CHECK((report["cut_anew"] > 0) == !narrow);
    CHECK(report["cut_short"] == 0);
    CHECK((answers(*engine) != before));
    CHECK(same_answers(*engine, *fresh));
    CHECK(engine->verify().ok);
    const auto stats = Json::parse(engine->stats());
    CHECK(stats["vectors_made_by"] == next->describe());
    CHECK(stats["embedder"] == next->describe());
    CHECK(stats["dimension"] == next->dimension());
    if (path) CHECK_FALSE(std::filesystem::exists(*path / "knowledge.stage"));

    // An unchanged document is unchanged: nothing is embedded for it. Another one is, by the new model.
    texts.clear();
    std::vector<std::string> ids;
    engine->upsert(inputs_of(reembed_prose(0, 60), TextKind::kText), {}, ids);
    engine->upsert(inputs_of(reembed_markdown(0, 60), TextKind::kMarkdown), {}, ids);
    CHECK(texts.empty());
    fill(*engine, 60, 70);
    fill(*fresh, 60, 70);
    CHECK_FALSE(texts.empty());
    CHECK(same_answers(*engine, *fresh));
    // Again with the same model there is nothing to do.
    texts.clear();
    CHECK(Json::parse(engine->reembed(next))["embedded"] == 0);
    CHECK(texts.empty());

    if (!path) return;
    engine.reset();
    const auto failure = failure_of([&] { open_with(models.before, path); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK_THAT(failure.text, Contains("re-embed"));
    engine = open_with(next, path);
    CHECK(same_answers(*engine, *fresh));
    CHECK(engine->verify().ok);
}

TEST_CASE("bases without an embedder, and with vectors and chunks of the caller's, get the new one's vectors") {
    RAG_NEEDS(fixture("tiny_bert"));
    Models models;
    // Words alone.
    auto words = open_engine();
    fill(*words, 0, 20);
    words->reembed(models.narrow);
    auto fresh = open_with(models.narrow);
    fill(*fresh, 0, 20);
    CHECK(same_answers(*words, *fresh));

    // A vector that came with the document goes; what does not fit is cut.
    TemporaryFolder base;
    auto given = open_engine(base / "kb");
    auto documents = reembed_prose(0, 10);
    for (auto& document : documents) document.vector = vector_of(1, 24);
    add(*given, documents);
    const auto report = Json::parse(given->reembed(models.narrow));
    CHECK(report["cut_anew"] > 0);
    fresh = open_with(models.narrow);
    add(*fresh, reembed_prose(0, 10));
    CHECK(same_answers(*given, *fresh));
    CHECK(given->verify().ok);

    // Chunks that came with it stay, also the same one twice, and what is longer than the embedder reads is counted.
    auto own = open_engine();
    DocumentInput input;
    input.id = "own";
    const std::string text(reembed_prose(11, 12).front().text);
    input.text = text;
    const std::vector<float> vector = vector_of(3, 24);
    const std::vector<ChunkInput> chunks = {
        {0, 5, 0, 5, "a", vector}, {0, text.size(), 0, text.size(), "b", vector}, {0, 5, 0, 5, "a", vector}};
    input.chunks = chunks;
    std::vector<std::string> ids;
    own->add(std::vector{input}, {}, ids);
    const auto kept = Json::parse(own->reembed(models.narrow));
    CHECK(kept["chunks"] == 3);
    CHECK(kept["cut_anew"] == 0);
    CHECK(kept["cut_short"] == 1);
    CHECK(own->verify().ok);
    CHECK(find(*own, SearchMode::kVector, text.substr(0, 5)).size() == 3);
    // The vectors that the caller gave are not taken for those of the new embedder.
    auto& texts = models.record_of(models.narrow).texts;
    texts.clear();
    auto again = reembed_prose(11, 12).front();
    again.id = "own";
    upsert(*own, {again});
    CHECK_FALSE(texts.empty());
    CHECK(own->verify().ok);

    // By another metric vectors keep their lengths.
    EngineOptions by_product;
    by_product.embedder = models.before;
    by_product.metric = Metric::kInnerProduct;
    auto product = Engine::open(by_product);
    fill(*product, 0, 20);
    product->reembed(models.narrow);
    by_product.embedder = models.narrow;
    auto fresh_product = Engine::open(by_product);
    fill(*fresh_product, 0, 20);
    CHECK(same_answers(*product, *fresh_product));
    CHECK(product->verify().ok);

    auto empty = open_engine();
    CHECK(Json::parse(empty->reembed(models.narrow))["documents"] == 0);
    add(*empty, reembed_prose(0, 3));
    CHECK(Json::parse(empty->stats())["dimension"] == 16);
    empty->remove({}, "{}");
    empty->reembed(models.before);
    add(*empty, reembed_prose(0, 3));
    CHECK(Json::parse(empty->stats())["dimension"] == 32);
    CHECK(empty->verify().ok);
}

TEST_CASE("while a base is re-embedded, the old vectors serve and documents are written") {
    RAG_NEEDS(fixture("tiny_bert"));
    Models models;
    const auto next = GENERATE(true, false) ? models.narrow : models.shorter;
    TemporaryFolder base;
    auto engine = open_with(models.before, base / "kb");
    fill(*engine, 0, 200);
    const auto before = answers(*engine);
    const auto reader = open_with(models.before, base / "kb", true);
    CHECK((answers(*reader) == before));
    std::vector<std::string> ids;
    int calls = 0;
    std::string busy, readers, meanwhile;
    models.record_of(next).on_encode = [&] {
        if (++calls == 1) meanwhile = answers(*engine);
        if (calls == 1) readers = answers(*reader);
        if (calls == 1) busy = failure_of([&] { engine->reembed(models.shorter); }).text;
        // Written beside it: new, changed, gone.
        if (calls > 4) return;
        const int n = 1000 + calls;
        add(*engine, reembed_prose(n, n + 1));
        auto changed = reembed_prose(calls, calls + 1);
        changed.front().text += " and a new end about the mill";
        upsert(*engine, changed);
        remove(*engine, {reembed_prose(calls + 100, calls + 101).front().id});
    };
    const auto report = Json::parse(engine->reembed(next));
    models.record_of(next).on_encode = nullptr;
    INFO(report.dump());
    REQUIRE(calls >= 4);
    CHECK((meanwhile == before));
    CHECK((readers == before));
    CHECK_THAT(busy, Contains("already"));

    const auto fresh = open_with(next);
    fill(*fresh, 0, 200);
    for (int call = 1; call <= 4; ++call) {
        add(*fresh, reembed_prose(1000 + call, 1001 + call));
        auto changed = reembed_prose(call, call + 1);
        changed.front().text += " and a new end about the mill";
        upsert(*fresh, changed);
        remove(*fresh, {reembed_prose(call + 100, call + 101).front().id});
    }
    CHECK(engine->count() == fresh->count());
    CHECK(same_answers(*engine, *fresh));
    CHECK(engine->verify().ok);

    // Another process learns of it at its next search, and takes the new model without being opened again.
    const auto failure = failure_of([&] { find(*reader, SearchMode::kVector, "the old boat"); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK(text_of(search_text(*reader, "boat")) == text_of(search_text(*fresh, "boat")));
    reader->set_embedder(next);
    CHECK(same_answers(*reader, *fresh));
    // A copy that follows hears of every document.
    CHECK(engine->changes(static_cast<std::int64_t>(Json::parse(engine->stats())["sequence"]) - 1, 10000).changes.size() ==
          engine->count());
}

TEST_CASE("searches from many threads see the old state or the new one") {
    RAG_NEEDS(fixture("tiny_bert"));
    Models models;
    const bool in_memory = GENERATE(true, false);
    TemporaryFolder base;
    auto engine = open_with(models.before, in_memory ? std::optional<std::filesystem::path>() : base / "kb");
    fill(*engine, 0, 40);
    std::vector<std::string> allowed;
    for (const auto& encoder : {models.before, models.narrow, models.shorter}) {
        auto one = open_with(encoder);
        fill(*one, 0, 40);
        allowed.push_back(text_of(find(*one, SearchMode::kVector, "river mill 3")) +
                          text_of(find(*one, SearchMode::kBm25, "boat 3")));
    }
    std::atomic<bool> done{false};
    std::atomic<int> searches{0};
    std::vector<std::string> wrong;
    std::mutex mutex;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
            while (!done) {
                std::string found;
                try {
                    if (t == 0) {
                        Query query;
                        query.text = "river mill 3";
                        query.mode = SearchMode::kVector;
                        const auto hits = engine->search(std::vector<Query>(3, query), {});
                        for (const auto& one : hits) {
                            const bool known = std::ranges::any_of(
                                allowed, [&](const std::string& all) { return all.starts_with(text_of(one)) && !one.empty(); });
                            if (!known) found = text_of(one) + "?";
                        }
                    } else {
                        const auto hits = find(*engine, SearchMode::kBm25, "boat 3");
                        const bool known = std::ranges::any_of(
                            allowed, [&](const std::string& all) { return all.ends_with(text_of(hits)) && !hits.empty(); });
                        if (!known) found = text_of(hits) + "?";
                    }
                } catch (const Error& error) {
                    found = error.what();
                }
                ++searches;
                if (found.empty()) continue;
                const std::lock_guard lock(mutex);
                wrong.push_back(found);
            }
        });
    }
    for (int round = 0; round < 6; ++round) {
        engine->reembed(round % 3 == 0 ? models.narrow : round % 3 == 1 ? models.shorter : models.before);
    }
    done = true;
    for (auto& thread : threads) thread.join();
    CHECK(searches > 20);
    CAPTURE(wrong.size());
    CHECK((wrong.empty() ? std::string() : wrong.front()) == "");
    CHECK(engine->verify().ok);
}

TEST_CASE("a re-embedding that is stopped or fails changes nothing, and the next one goes on") {
    RAG_NEEDS(fixture("tiny_bert"));
    Models models;
    TemporaryFolder base;
    auto engine = open_with(models.before, base / "kb");
    fill(*engine, 0, 200);
    const auto before = answers(*engine);
    auto& record = models.record_of(models.narrow);

    int calls = 0;
    std::atomic<bool> stop{false};
    record.on_encode = [&] {
        if (++calls < 3) return;
        stop = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(120));  // the caller is asked every 50 ms
    };
    std::vector<std::pair<std::uint64_t, std::uint64_t>> seen;
    const auto failure = failure_of([&] {
        engine->reembed(models.narrow, [&](std::uint64_t done, std::uint64_t total) {
            seen.emplace_back(done, total);
            return !stop;
        });
    });
    CHECK(failure.code == Code::kStopped);
    REQUIRE_FALSE(seen.empty());
    CHECK(seen.back().second == 400);
    CHECK((answers(*engine) == before));
    CHECK(engine->verify().ok);
    CHECK(std::filesystem::exists(base / "kb" / "knowledge.stage"));

    record.on_encode = nullptr;
    record.next = {static_cast<std::int32_t>(Code::kInternal), "the backend broke"};
    CHECK_THAT(failure_of([&] { engine->reembed(models.narrow); }).text, Contains("broke"));
    CHECK((answers(*engine) == before));

    // Opened again, by another object of the same model.
    engine.reset();
    engine = open_with(models.before, base / "kb");
    const auto report = Json::parse(engine->reembed(models.narrow));
    CHECK(report["taken_over"] > 0);
    CHECK(report["embedded"] < report["chunks"]);
    const auto fresh = open_with(models.narrow);
    fill(*fresh, 0, 200);
    CHECK(same_answers(*engine, *fresh));

    // What waits for one model is no use to another; nor is what is damaged.
    calls = 0;
    stop = false;
    models.record_of(models.shorter).on_encode = [&] {
        stop = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(120));
    };
    failure_of([&] { engine->reembed(models.shorter, [&](std::uint64_t, std::uint64_t) { return !stop; }); });
    REQUIRE(std::filesystem::exists(base / "kb" / "knowledge.stage"));
    CHECK(Json::parse(engine->reembed(models.before))["taken_over"] == 0);
    CHECK((answers(*engine) == before));
    write_file(base / "kb" / "knowledge.stage", std::string(5000, 'x'));
    CHECK(Json::parse(engine->reembed(models.narrow))["taken_over"] == 0);
    CHECK(same_answers(*engine, *fresh));

    CHECK(failure_of([&] { engine->reembed(nullptr); }).code == Code::kInvalidArgument);
    engine.reset();
    auto reader = open_with(models.narrow, base / "kb", true);
    CHECK(failure_of([&] { reader->reembed(models.before); }).code == Code::kReadOnly);
}

TEST_CASE("a disk that is full at any moment of a re-embedding leaves the old state, and with room again it goes on") {
    RAG_NEEDS(fixture("tiny_bert"));
    Models models;
    TemporaryFolder base;
    auto engine = open_with(models.before, base / "kb");
    fill(*engine, 0, 100);
    const auto before = answers(*engine);
    // Files that may not grow stand in for the disk.
    rlimit whole{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &whole) == 0);
    const auto former = std::signal(SIGXFSZ, SIG_IGN);
    int failed = 0;
    bool done = false;
    for (rlim_t bytes = 4096; !done && bytes < rlim_t{64} << 20; bytes += bytes / 3) {
        const rlimit little{bytes, whole.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &little) == 0);
        const auto failure = failure_of([&] { engine->reembed(models.shorter); });
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &whole) == 0);
        done = failure.code == Code::kOk;
        if (done) break;
        ++failed;
        INFO(bytes << ": " << failure.text);
        CHECK(failure.code == Code::kIo);
        CHECK((answers(*engine) == before));
        CHECK(engine->verify().ok);
    }
    std::signal(SIGXFSZ, former);
    CHECK(done);
    CHECK(failed > 10);
    const auto fresh = open_with(models.shorter);
    fill(*fresh, 0, 100);
    CHECK(same_answers(*engine, *fresh));
    CHECK(engine->verify().ok);
}

TEST_CASE("closing ends a re-embedding") {
    RAG_NEEDS(fixture("tiny_bert"));
    Models models;
    TemporaryFolder base;
    auto engine = open_with(models.before, base / "kb");
    fill(*engine, 0, 100);
    std::atomic<bool> begun{false};
    models.record_of(models.narrow).on_encode = [&] {
        begun = true;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    };
    Code code = Code::kOk;
    std::thread worker([&] { code = failure_of([&] { engine->reembed(models.narrow); }).code; });
    while (!begun) std::this_thread::yield();
    engine->close();
    worker.join();
    CHECK(code == Code::kStopped);
    engine = open_with(models.before, base / "kb");
    CHECK(engine->verify().ok);
    // In a callback of its own it would wait for itself, and is refused without ending anything.
    models.record_of(models.narrow).on_encode = [] { std::this_thread::sleep_for(std::chrono::milliseconds(60)); };
    std::string refused;
    engine->reembed(models.narrow, [&](std::uint64_t, std::uint64_t) {
        refused = failure_of([&] { engine->close(); }).text;
        return true;
    });
    CHECK_THAT(refused, Contains("inside a call"));
}

TEST_CASE("an engine that runs gets other models") {
    const auto llama = fixture("tiny_llama"), cross = fixture("tiny_cross_encoder"), tiny = fixture("tiny_bert");
    RAG_NEEDS(llama);
    RAG_NEEDS(cross);
    RAG_NEEDS(tiny);
    FakeBackend backend;
    ModelOptions model_options;
    model_options.backend = &backend;
    TemporaryFolder roomy;
    const auto model = copy_model(llama, roomy);
    edit(model / "config.json", "\"max_position_embeddings\": 64", "\"max_position_embeddings\": 1024");
    const auto generator = Decoder::open(model, model_options);
    const auto embedder = open_fake(tiny, backend);
    auto engine = open_engine();
    AskOptions ask;
    ask.generation.max_tokens = 5;
    CHECK(failure_of([&] { engine->ask("the mill", ask); }).code == Code::kInvalidState);
    CHECK(failure_of([&] { find(*engine, SearchMode::kVector, "the mill"); }).code == Code::kOk);  // empty: nothing to find
    engine->set_generator(generator);
    engine->set_embedder(embedder);
    add(*engine, reembed_prose(0, 5));
    CHECK(engine->ask("the mill", ask).generation.new_tokens <= 5);
    CHECK(find(*engine, SearchMode::kVector, "the mill").size() == 10);
    CHECK(Json::parse(engine->stats())["generator"] == generator->describe());
    engine->set_generator(nullptr);
    CHECK(failure_of([&] { engine->ask("the mill", ask); }).code == Code::kInvalidState);

    // Vectors belong to the model that made them.
    const auto other = open_fake(tiny, backend, 16);
    const auto failure = failure_of([&] { engine->set_embedder(other); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK_THAT(failure.text, Contains("re-embed"));
    CHECK(find(*engine, SearchMode::kVector, "the mill").size() == 10);
    engine->set_embedder(nullptr);
    CHECK(failure_of([&] { find(*engine, SearchMode::kVector, "the mill"); }).code == Code::kInvalidState);
    engine->set_embedder(embedder);
    CHECK(find(*engine, SearchMode::kVector, "the mill").size() == 10);

    Query query;
    query.text = "the mill";
    query.rerank = 10;
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidState);
    const std::shared_ptr<const Classifier> reranker = Classifier::open(cross, model_options);
    engine->set_reranker(reranker);
    CHECK(Json::parse(engine->stats())["reranker"] == reranker->describe());
    engine->set_reranker(nullptr);
    CHECK(failure_of([&] { engine->search(query); }).code == Code::kInvalidState);
}
