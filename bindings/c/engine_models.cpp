// rag_engine_reembed, _set_embedder, _set_reranker, _set_generator: other models for an engine that runs.
#include "arguments.hpp"
#include "engine/engine.hpp"
#include "guard.hpp"
#include "handles.hpp"

using rag::capi::guard;
using rag::capi::require;
using rag::capi::use;

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
