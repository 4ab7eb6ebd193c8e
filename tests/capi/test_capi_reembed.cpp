// An engine whose embedder changes, from outside: re-embedding over C, what stops it, and models attached and taken away. Needs
// LibTorch, unlike the rest of the engine's tests.
#include <rag/rag.hpp>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "test_files.hpp"

TEST_CASE("re-embedding and other models over C") {
    const auto bert = rag::test::fixture("tiny_bert");
    RAG_NEEDS(bert);
    const rag::Encoder encoder(bert.path.string());
    rag::Engine engine;
    std::vector<rag::Document> documents;
    for (int i = 0; i < 20; ++i) {
        const auto number = std::to_string(i);
        documents.push_back({"d" + number, "text about marker" + number, "", "", {1.0F, float(i)}});
    }
    engine.add(documents);
    CHECK(rag_engine_reembed(engine.handle(), nullptr, nullptr, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_engine_reembed(nullptr, encoder.handle(), nullptr, nullptr, nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_engine_set_embedder(engine.handle(), encoder.handle()) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("re-embed") != std::string::npos);
    const auto stop = [](std::uint64_t, std::uint64_t, void*) { return 5; };
    rag_string* report = nullptr;
    CHECK(rag_engine_reembed(engine.handle(), encoder.handle(), stop, nullptr, &report) == RAG_STOPPED);
    CHECK(rag_stop_value() == 5);
    CHECK(report == nullptr);
    CHECK(engine.stats().find("\"dimension\":2,") != std::string::npos);

    CHECK(engine.reembed(encoder).find("\"documents\":20") != std::string::npos);
    CHECK(engine.stats().find("\"dimension\":32,") != std::string::npos);
    rag::Query query;
    query.text = "text about marker7";
    query.mode = rag::SearchMode::kVector;
    CHECK(engine.search(query).size() == 10);
    CHECK(engine.verify());
    engine.set_embedder(nullptr);
    CHECK_THROWS_AS(engine.search(query), rag::Error);
    engine.set_embedder(&encoder);
    engine.set_generator(nullptr);
    engine.set_reranker(nullptr);
    CHECK(engine.search(query).size() == 10);
    CHECK(rag_engine_reembed(engine.handle(), encoder.handle(), nullptr, nullptr, nullptr) == RAG_OK);
}

TEST_CASE("several models at one moment over C") {
    const auto bert = rag::test::fixture("tiny_bert"), cross = rag::test::fixture("tiny_cross_encoder");
    RAG_NEEDS(bert);
    RAG_NEEDS(cross);
    const rag::Encoder encoder(bert.path.string());
    const rag::Classifier reranker(cross.path.string());
    rag::Engine engine;
    engine.add({{"a", "one", "", "", {1.0F, 2.0F}}});
    rag_engine_models models = RAG_ENGINE_MODELS_INIT;
    models.parts = RAG_PART_EMBEDDER | RAG_PART_RERANKER;
    models.embedder = encoder.handle();
    models.reranker = reranker.handle();
    CHECK(rag_engine_use(engine.handle(), &models) == RAG_INVALID_ARGUMENT);  // vectors of another dimension
    CHECK(engine.stats().find("\"reranker\":null") != std::string::npos);
    models.parts = RAG_PART_RERANKER;
    CHECK(rag_engine_use(engine.handle(), &models) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("embedder is given, its parts (2) do not name it: add 1") != std::string::npos);
    models.parts = 8;
    CHECK(rag_engine_use(engine.handle(), &models) == RAG_INVALID_ARGUMENT);
    CHECK(std::string(rag_error_message()).find("a sum of 1, 2 and 4") != std::string::npos);
    CHECK(rag_engine_use(engine.handle(), nullptr) == RAG_INVALID_ARGUMENT);
    CHECK(rag_engine_use(nullptr, &models) == RAG_INVALID_ARGUMENT);
    models.struct_size = 4;
    CHECK(rag_engine_use(engine.handle(), &models) == RAG_INVALID_ARGUMENT);
    CHECK(engine.stats().find("\"reranker\":null") != std::string::npos);
    rag::EngineModels both;
    both.reranker = &reranker;
    both.embedder = nullptr;
    engine.use(both);
    CHECK(engine.stats().find("\"reranker\":null") == std::string::npos);
    CHECK(engine.stats().find("\"embedder\":null") != std::string::npos);
    rag::EngineModels none;
    none.reranker = nullptr;
    engine.use(none);
    CHECK(engine.stats().find("\"reranker\":null") != std::string::npos);
}
