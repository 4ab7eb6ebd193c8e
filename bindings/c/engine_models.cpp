// rag_engine_reembed, _use, _set_embedder, _set_reranker, _set_generator: other models for an engine that runs.
#include "arguments.hpp"
#include "engine/engine.hpp"
#include "guard.hpp"
#include "handles.hpp"

using rag::capi::guard;
using rag::capi::require;
using rag::capi::use;

namespace {

/// Whether `parts` names this one; a model that nobody would use was meant for something.
bool names(const rag_engine_models& models, rag_engine_part part, const void* model, const char* name) {
    const bool named = (models.parts & static_cast<uint32_t>(part)) != 0;
    if (!named && model != nullptr) {
        rag::core::fail(rag::core::Code::kInvalidArgument, "rag_engine_models.{} is given, its parts ({}) do not name it: add {}",
                        name, models.parts, static_cast<uint32_t>(part));
    }
    return named;
}

rag::core::ModelChange change_of(const rag_engine_models& models) {
    constexpr uint32_t kParts = RAG_PART_EMBEDDER | RAG_PART_RERANKER | RAG_PART_GENERATOR;
    if ((models.parts & ~kParts) != 0) {
        rag::core::fail(rag::core::Code::kInvalidArgument, "rag_engine_models.parts is {}, it must be a sum of 1, 2 and 4",
                        models.parts);
    }
    rag::core::ModelChange change;
    if (names(models, RAG_PART_EMBEDDER, models.embedder, "embedder"))
        change.embedder.emplace(models.embedder == nullptr ? nullptr : models.embedder->model);
    if (names(models, RAG_PART_RERANKER, models.reranker, "reranker"))
        change.reranker.emplace(models.reranker == nullptr ? nullptr : models.reranker->model);
    if (names(models, RAG_PART_GENERATOR, models.generator, "generator"))
        change.generator.emplace(models.generator == nullptr ? nullptr : models.generator->model);
    return change;
}

}  // namespace

extern "C" {

rag_status rag_engine_reembed(rag_engine* engine, const rag_encoder* embedder, rag_progress_fn progress, void* user_data,
                              rag_string** report) noexcept {
    return guard([&] {
        if (report != nullptr) *report = nullptr;
        auto& target = use(engine);
        std::string done = target.reembed(require(embedder, "embedder").model, rag::capi::progress_of(progress, user_data));
        if (report != nullptr) *report = new rag_string{std::move(done)};
    });
}

rag_status rag_engine_use(rag_engine* engine, const rag_engine_models* models) noexcept {
    return guard([&] {
        auto& target = use(engine);
        const rag_engine_models defaults RAG_ENGINE_MODELS_INIT;
        target.use(change_of(rag::capi::read_struct(&require(models, "models"), defaults, "rag_engine_models")));
    });
}

rag_status rag_engine_set_embedder(rag_engine* engine, const rag_encoder* embedder) noexcept {
    return guard([&] { use(engine).set_embedder(embedder == nullptr ? nullptr : embedder->model); });
}

rag_status rag_engine_set_reranker(rag_engine* engine, const rag_classifier* reranker) noexcept {
    return guard([&] { use(engine).set_reranker(reranker == nullptr ? nullptr : reranker->model); });
}

rag_status rag_engine_set_generator(rag_engine* engine, const rag_generator* generator) noexcept {
    return guard([&] { use(engine).set_generator(generator == nullptr ? nullptr : generator->model); });
}

}  // extern "C"
