// The engine with an embedder and a generator: the tiny models of the fixtures on a backend that computes something of every id.
// What is embedded, and when; whose vectors a knowledge base holds; asking.
#include <nlohmann/json.hpp>

#include "../model/fake_backend.hpp"
#include "../model/model_files.hpp"
#include "engine/answer.hpp"
#include "engine_fixtures.hpp"
#include "model/decoder.hpp"
#include "model/encoder.hpp"

using namespace rag::core;
using namespace rag::test;
using Catch::Contains;

namespace {

std::shared_ptr<Encoder> open_encoder(const std::filesystem::path& path, FakeBackend& backend) {
    ModelOptions options;
    options.backend = &backend;
    return Encoder::open(path, options);
}

std::unique_ptr<Engine> open_with(std::shared_ptr<const Encoder> encoder, const std::optional<std::filesystem::path>& path = {}) {
    EngineOptions options;
    options.path = path;
    options.embedder = std::move(encoder);
    return Engine::open(options);
}

Document plain(const std::string& id, const std::string& text) {
    Document document;
    document.id = id;
    document.text = text;
    return document;
}

std::vector<Hit> search_by(const Engine& engine, SearchMode mode, const std::string& text, bool explain = false) {
    Query query;
    query.mode = mode;
    query.text = text;
    query.explain = explain;
    return engine.search(query);
}

}  // namespace

TEST_CASE("with an embedder, texts are cut to its limit, embedded once and found by vector") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open_encoder(folder, backend);
    TemporaryFolder base;
    auto engine = open_with(encoder, base / "kb");
    std::string longer;
    for (int i = 0; i < 40; ++i) longer += std::to_string(i % 5 + 1) + " river " + (i % 4 == 3 ? "mill. " : "mill ");
    add(*engine, {plain("long", longer), plain("short", "the old boat")});
    CHECK(get(*engine, "long")->chunks >= 5);
    const auto& texts = backend.record->texts;
    CHECK(texts.size() == get(*engine, "long")->chunks + 1);
    for (const auto& ids : texts) CHECK(ids.size() <= 24);
    std::size_t tokens = 0;
    for (const auto& ids : texts) tokens += ids.size() - 2;
    CHECK(tokens == encoder->tokenizer().count_tokens(longer) + encoder->tokenizer().count_tokens("the old boat"));

    auto hits = search_by(*engine, SearchMode::kVector, "the old boat");
    CHECK(hits[0].document_id == "short");
    CHECK(hits[0].score == Approx(1.0).margin(1e-5));
    hits = search_by(*engine, SearchMode::kAuto, "the old boat", true);
    CHECK(nlohmann::json::parse(hits[0].explain)["mode"] == "hybrid");
    CHECK(hits[0].document_id == "short");
    // Where the embedder does not know the words, its vector counts for less.
    hits = search_by(*engine, SearchMode::kHybrid, "boat \xe9\xbe\x98\xe9\xbe\x99", true);
    const auto weight = nlohmann::json::parse(hits[0].explain)["fusion"]["vector_weight"].get<float>();
    CHECK(weight < 0.55F);
    CHECK(weight > 0.05F);

    const auto stats = nlohmann::json::parse(engine->stats());
    CHECK(stats["embeddings"] == stats["chunks"]);
    CHECK(stats["dimension"] == 32);
    CHECK(stats["embedder"].get<std::string>() == stats["vectors_made_by"].get<std::string>());
    CHECK(engine->verify().ok);
}

TEST_CASE("upsert embeds only what changed") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    auto engine = open_with(open_encoder(folder, backend));
    std::vector<Document> documents;
    for (int i = 0; i < 20; ++i) documents.push_back(plain("d" + std::to_string(i), "river number " + std::to_string(i)));
    add(*engine, documents);
    auto& texts = backend.record->texts;
    CHECK(texts.size() == 20);
    texts.clear();
    upsert(*engine, documents);
    CHECK(texts.empty());
    documents[3].metadata = R"({"lang":"en"})";
    upsert(*engine, documents);
    CHECK(texts.empty());
    CHECK(get(*engine, "d3")->metadata == R"({"lang":"en"})");
    documents[4].text = "mill number 4";
    documents[5].title = "boats";
    documents.push_back(plain("new", "a new one"));
    upsert(*engine, documents);
    CHECK(texts.size() == 3);
    CHECK(search_by(*engine, SearchMode::kVector, "mill number 4")[0].document_id == "d4");
    // Of a long text, only the chunks that are new; of source and language, none.
    Document longer = plain("longer", "");
    for (int i = 0; i < 30; ++i) longer.text += "the river of the old boat and the mill number " + std::to_string(i) + ".\n\n";
    add(*engine, {longer});
    const auto chunks = get(*engine, "longer")->chunks;
    REQUIRE(chunks > 10);
    texts.clear();
    longer.text += "a boat at the end";
    upsert(*engine, {longer});
    CHECK(texts.size() >= 1);
    CHECK(texts.size() <= 2);
    texts.clear();
    auto input = longer.input();
    input.source = "file:///longer";
    input.language = "en";
    std::vector<std::string> ids;
    engine->upsert(std::vector{input}, {}, ids);
    CHECK(texts.empty());
    CHECK(get(*engine, "longer")->source == "file:///longer");
    CHECK(engine->verify().ok);
}

TEST_CASE("the title is embedded with the text unless it would leave no room for it") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    const auto encoder = open_encoder(folder, backend);
    auto engine = open_with(encoder);
    Document document = plain("a", "the old mill");
    document.title = "river";
    add(*engine, {document});
    std::vector<std::int32_t> expected;
    encoder->tokenizer().encode_ids("river\nthe old mill", true, expected);
    CHECK(backend.record->texts.back() == expected);
    document.id = "b";
    document.title = "river mill boat river mill boat river mill boat river mill boat";
    add(*engine, {document});
    expected.clear();
    encoder->tokenizer().encode_ids("the old mill", true, expected);
    CHECK(backend.record->texts.back() == expected);
    CHECK(search_text(*engine, "boat").front().document_id == "b");
}

TEST_CASE("an import takes vectors over where the same embedder made them, and embeds anew where not") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    TemporaryFolder files;
    const auto encoder = open_encoder(folder, backend);
    auto engine = open_with(encoder);
    Document longer = plain("longer", "");
    for (int i = 0; i < 30; ++i) longer.text += "the river of the old boat and the mill number " + std::to_string(i) + ".\n\n";
    add(*engine, {plain("a", "the old mill"), longer});
    CHECK(engine->export_file(files / "all.jsonl", {}) == 2);
    auto& texts = backend.record->texts;
    texts.clear();

    auto same = open_with(encoder);
    CHECK(same->import_file(files / "all.jsonl", {}) == 2);
    CHECK(texts.empty());
    CHECK(same->verify().ok);
    CHECK(search_by(*same, SearchMode::kVector, "the old mill")[0].document_id == "a");
    texts.clear();
    upsert(*same, {plain("a", "the old mill"), longer});
    CHECK(texts.empty());
    CHECK(same->verify().ok);

    TemporaryFolder other;
    const auto changed = copy_model(folder, other);
    edit(changed / "sentence_bert_config.json", "24", "20");
    auto second = open_with(open_encoder(changed, backend));
    texts.clear();
    CHECK(second->import_file(files / "all.jsonl", {}) == 2);
    CHECK(texts.size() == get(*second, "a")->chunks + get(*second, "longer")->chunks);
    CHECK(second->verify().ok);

    // Without an embedder the vectors still say what made them, and no others come beside them.
    auto bare = open_engine();
    CHECK(bare->import_file(files / "all.jsonl", {}) == 2);
    CHECK(nlohmann::json::parse(bare->stats())["vectors_made_by"] == encoder->describe());
    CHECK(failure_of([&] { add(*bare, {plain("b", "a boat")}); }).code == Code::kInvalidState);
    CHECK(bare->verify().ok);

    ExportOptions no_vectors;
    no_vectors.vectors = false;
    engine->export_file(files / "texts.jsonl", no_vectors);
    texts.clear();
    auto anew = open_with(encoder);
    anew->import_file(files / "texts.jsonl", {});
    CHECK(texts.size() == get(*engine, "longer")->chunks + 1);
    CHECK(get(*anew, "longer")->chunks == get(*engine, "longer")->chunks);
}

TEST_CASE("a knowledge base keeps to the embedder that made its vectors") {
    const auto folder = fixture("tiny_bert"), adapter = fixture("tiny_bert_lora");
    RAG_NEEDS(folder);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    TemporaryFolder base;
    const auto encoder = open_encoder(folder, backend);
    {
        auto engine = open_with(encoder, base / "kb");
        add(*engine, {plain("a", "the old mill")});
    }
    TemporaryFolder other;
    const auto changed = copy_model(folder, other);
    edit(changed / "sentence_bert_config.json", "24", "20");
    const auto second = open_encoder(changed, backend);
    auto failure = failure_of([&] { open_with(second, base / "kb"); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK_THAT(failure.text, Contains(encoder->fingerprint()) && Contains(second->fingerprint()));

    auto engine = open_with(encoder, base / "kb");
    encoder->merge_adapter_folder(adapter.path);
    CHECK(failure_of([&] { add(*engine, {plain("b", "a boat")}); }).code == Code::kInvalidArgument);
    CHECK(failure_of([&] { search_by(*engine, SearchMode::kVector, "a boat"); }).code == Code::kInvalidArgument);
    CHECK(search_text(*engine, "mill").size() == 1);
    encoder->unmerge_adapter();
    add(*engine, {plain("b", "a boat")});
    CHECK(search_by(*engine, SearchMode::kVector, "a boat")[0].document_id == "b");
    engine.reset();

    // Without it: words still find, vectors of the caller's still work, and nothing is stored that vectors could not find.
    auto bare = open_engine(base / "kb");
    CHECK(search_text(*bare, "mill").size() == 1);
    CHECK(failure_of([&] { search_by(*bare, SearchMode::kVector, "mill"); }).code == Code::kInvalidState);
    failure = failure_of([&] { add(*bare, {plain("c", "no vector")}); });
    CHECK(failure.code == Code::kInvalidState);
    CHECK_THAT(failure.text, Contains("\"c\"") && Contains("embedder"));
    Document own = plain("c", "own vector");
    own.vector = vector_of(1, 32);
    add(*bare, {own});
    CHECK(search_vector(*bare, vector_of(1, 32), 1)[0].document_id == "c");
    bare.reset();

    // Vectors of another length than the embedder makes.
    add_numbered(*open_engine(base / "given"), 0, 3);
    failure = failure_of([&] { open_with(encoder, base / "given"); });
    CHECK(failure.code == Code::kInvalidArgument);
    CHECK_THAT(failure.text, Contains("24") && Contains("32"));
}

TEST_CASE("adapters that are set or merged while documents are added or searched for never mix vectors of two models") {
    const auto folder = fixture("tiny_bert"), adapter = fixture("tiny_bert_lora");
    RAG_NEEDS(folder);
    RAG_NEEDS(adapter);
    FakeBackend backend;
    TemporaryFolder base;
    const auto encoder = open_encoder(folder, backend);
    encoder->load_adapter(adapter.path, "a");
    const auto once = [&](std::function<void()> change) {
        backend.record->on_encode = [&backend, change = std::move(change)] {
            const auto now = change;
            backend.record->on_encode = nullptr;
            now();
        };
    };
    const auto merge_and_back = [&] {
        encoder->merge_adapter("a");
        encoder->unmerge_adapter();
    };
    auto engine = open_with(encoder, base / "kb");
    WriteOptions one_by_one;
    one_by_one.batch_documents = 1;
    const std::vector<Document> documents = {plain("a", "the old mill"), plain("b", "a boat"), plain("c", "the river")};

    // The first vectors of a base, and a merge within: of no batch that saw it anything is stored.
    once(merge_and_back);
    auto failure = failure_of([&] { add(*engine, documents, one_by_one); });
    CHECK(failure.code == Code::kInvalidState);
    CHECK_THAT(failure.text, Contains("merged"));
    CHECK(engine->count() == 0);
    // What is set meanwhile is for later calls.
    once([&] { encoder->set_adapter({{"a", 1.0F}}); });
    backend.record->text_weights.clear();
    add(*engine, documents, one_by_one);
    CHECK(backend.record->text_weights == std::vector<std::vector<float>>(3));
    CHECK(engine->count() == 3);
    // Set, it is another embedder, and the base keeps to the one of its vectors.
    failure = failure_of([&] { add(*engine, {plain("d", "a stone")}); });
    CHECK(failure.code == Code::kInvalidArgument);
    encoder->set_adapter({});
    CHECK(search_by(*engine, SearchMode::kVector, "a boat")[0].document_id == "b");

    once(merge_and_back);
    CHECK(failure_of([&] { search_by(*engine, SearchMode::kVector, "a boat"); }).code == Code::kInvalidState);
    once([&] { encoder->set_adapter({{"a", 1.0F}}); });
    backend.record->text_weights.clear();
    CHECK(search_by(*engine, SearchMode::kVector, "a boat")[0].document_id == "b");
    CHECK(backend.record->text_weights == std::vector<std::vector<float>>(1));
    encoder->set_adapter({});
    engine.reset();
    CHECK(open_with(encoder, base / "kb")->verify().ok);
}

TEST_CASE("chunks longer than the embedder takes are refused at once") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    EngineOptions options;
    options.embedder = open_encoder(folder, backend);
    options.chunk_tokens = 23;
    CHECK_THAT(failure_of([&] { Engine::open(options); }).text, Contains("23") && Contains("22"));
    options.chunk_tokens = 5;
    auto engine = Engine::open(options);
    add(*engine, {plain("a", "river mill boat river mill boat river mill boat")});
    CHECK(get(*engine, "a")->chunks >= 2);
    for (const auto& ids : backend.record->texts) CHECK(ids.size() <= 7);
}

TEST_CASE("a stop or a failure while embedding stores nothing of the batch") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    TemporaryFolder base;
    auto engine = open_with(open_encoder(folder, backend), base / "kb");
    std::vector<Document> documents;
    for (int i = 0; i < 10; ++i) documents.push_back(plain("d" + std::to_string(i), "river number " + std::to_string(i)));
    backend.record->next = {static_cast<std::int32_t>(Code::kInternal), "the backend broke"};
    auto failure = failure_of([&] { add(*engine, documents); });
    CHECK(failure.code == Code::kInternal);
    CHECK_THAT(failure.text, Contains("broke"));
    CHECK(engine->count() == 0);
    std::vector<std::string> ids;
    WriteOptions options;
    options.progress = [](std::uint64_t, std::uint64_t) { return false; };
    options.batch_documents = 2;
    for (int i = 10; i < 2000; ++i) documents.push_back(plain("d" + std::to_string(i), "river number " + std::to_string(i)));
    failure = failure_of([&] { engine->add(inputs(documents), options, ids); });
    CHECK(failure.code == Code::kStopped);
    CHECK(engine->count() == ids.size());
    CHECK(ids.size() < documents.size());
    CHECK(engine->verify().ok);
}

TEST_CASE("vectors of the caller's and of the embedder live together") {
    const auto folder = fixture("tiny_bert");
    RAG_NEEDS(folder);
    FakeBackend backend;
    auto engine = open_with(open_encoder(folder, backend));
    Document own = plain("own", "the text is not embedded");
    own.vector = vector_of(1, 32);
    add(*engine, {own, plain("made", "a boat")});
    CHECK(backend.record->texts.size() == 1);
    CHECK(search_vector(*engine, vector_of(1, 32), 1)[0].document_id == "own");
    CHECK(search_by(*engine, SearchMode::kVector, "a boat")[0].document_id == "made");
    own.id = "wrong";
    own.vector = vector_of(1, 24);
    CHECK(failure_of([&] { add(*engine, {own}); }).code == Code::kInvalidArgument);
}

TEST_CASE("asking needs a generator, and gives spans that exist") {
    const auto folder = fixture("tiny_llama");
    RAG_NEEDS(folder);
    FakeBackend backend;
    ModelOptions model_options;
    model_options.backend = &backend;
    EngineOptions options;
    TemporaryFolder roomy;  // the tiny model's own context has no room for an instruction
    const auto model = copy_model(folder, roomy);
    edit(model / "config.json", "\"max_position_embeddings\": 64", "\"max_position_embeddings\": 1024");
    options.generator = Decoder::open(model, model_options);
    auto engine = Engine::open(options);
    add(*engine, {plain("a", "The river carries the letter past the old mill."), plain("b", "Boats wait in the harbour.")});
    AskOptions ask;
    ask.generation.max_tokens = 20;
    std::string streamed;
    ask.on_token = [&](std::int32_t, std::string_view text) {
        streamed += text;
        return true;
    };
    const Answer answer = engine->ask("the river", ask);
    CHECK(answer.hits.size() == 1);
    CHECK(answer.generation.text == streamed);
    CHECK(answer.generation.new_tokens <= 20);
    CHECK(answer.generation.prompt_tokens > 10);
    for (const auto& citation : answer.citations) {
        REQUIRE(citation.hit < answer.hits.size());
        CHECK(citation.end <= answer.generation.text.size());
        CHECK(citation.hit_end <= answer.hits[citation.hit].text.size());
    }
    int pieces = 0;
    ask.on_token = [&](std::int32_t id, std::string_view) { return id < 0 || ++pieces < 3; };
    CHECK(engine->ask("the river", ask).generation.finish == FinishReason::kCancelled);
    ask.on_token = {};
    CHECK(engine->ask("nothing that is stored anywhere", ask).hits.empty());
    CHECK(failure_of([&] { engine->ask("", ask); }).code == Code::kInvalidArgument);
    CHECK(failure_of([&] { engine->ask("\xff", ask); }).code == Code::kInvalidArgument);
    auto without = open_engine();
    add(*without, {plain("a", "text")});
    CHECK_THAT(failure_of([&] { without->ask("text", {}); }).text, Contains("generator"));
}
