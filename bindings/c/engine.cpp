// rag_engine_*, documents: the engine over C. Searching and links are in search.cpp, answers in answer.cpp.
#include "engine/engine.hpp"

#include "arguments.hpp"
#include "bm25_options.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "vector_type.hpp"

namespace core = rag::core;
using rag::capi::Code;
using rag::capi::fail;
using rag::capi::given;
using rag::capi::guard;
using rag::capi::require;
using rag::capi::text_of;
using rag::capi::use;
using rag::capi::view;

namespace {

// As the first 0.1.0 had them.
constexpr size_t kFirstDocument = offsetof(rag_document, source);
constexpr size_t kFirstEngineOptions = offsetof(rag_engine_options, vector_dtype);

std::optional<std::string_view> optional_text(rag_text text, const char* name) {
    if (!given(text)) return std::nullopt;
    return text_of(text, name);
}

/// Texts are not checked here: the engine does it and names the document.
core::DocumentInput to_core(const rag_document& document) {
    core::DocumentInput out;
    if (given(document.id)) out.id = rag::capi::bytes_of(document.id, "id");
    out.text = rag::capi::bytes_of(document.text, "text");
    out.title = rag::capi::bytes_of(document.title, "title");
    out.metadata = rag::capi::bytes_of(document.metadata, "metadata");
    out.source = rag::capi::bytes_of(document.source, "source");
    out.language = rag::capi::bytes_of(document.language, "language");
    if (document.vector == nullptr && document.dimension != 0) {
        fail(Code::kInvalidArgument, "document {}: vector is NULL and its dimension is {}", core::quote(out.id.value_or("")),
             document.dimension);
    }
    if (document.vector != nullptr && document.dimension == 0) {
        fail(Code::kInvalidArgument, "document {}: vector has dimension 0", core::quote(out.id.value_or("")));
    }
    out.vector = {document.vector, document.dimension};
    out.kind = core::text_kind_of(document.kind);
    return out;
}

std::vector<core::DocumentInput> documents_of(const rag_document* documents, size_t count) {
    rag::capi::require_array(documents, count, "documents");
    std::vector<core::DocumentInput> out;
    out.reserve(count);
    // A newer caller's elements are longer than ours: its struct_size is the stride.
    if (count > 1 && documents->struct_size % alignof(rag_document) != 0) {
        fail(Code::kInvalidArgument, "documents[0].struct_size is {}, no multiple of {}: the elements behind it are misaligned",
             documents->struct_size, alignof(rag_document));
    }
    const auto* bytes = reinterpret_cast<const std::byte*>(documents);
    for (size_t i = 0; i < count; ++i) {
        const auto* element = reinterpret_cast<const rag_document*>(bytes + i * documents->struct_size);
        if (i > 0 && element->struct_size != documents->struct_size) {
            fail(Code::kInvalidArgument, "documents[{}].struct_size is {}, that of documents[0] is {}", i, element->struct_size,
                 documents->struct_size);
        }
        out.push_back(to_core(rag::capi::read_struct(element, rag_document RAG_DOCUMENT_INIT, "rag_document", kFirstDocument)));
    }
    return out;
}

std::optional<core::Metric> metric_of(std::uint32_t metric) {
    switch (metric) {
        case RAG_ENGINE_METRIC_KEPT:
            return std::nullopt;
        case RAG_ENGINE_METRIC_COSINE:
            return core::Metric::kCosine;
        case RAG_ENGINE_METRIC_IP:
            return core::Metric::kInnerProduct;
        case RAG_ENGINE_METRIC_L2:
            return core::Metric::kL2;
        default:
            fail(Code::kInvalidArgument, "metric is {}, it must be 0 (kept), 1 (cosine), 2 (ip) or 3 (l2)", metric);
    }
}

using Write = void (core::Engine::*)(std::span<const core::DocumentInput>, const core::WriteOptions&, std::vector<std::string>&);

rag_status write(Write method, rag_engine* engine, const rag_document* documents, size_t count, const rag_write_options* options,
                 rag_strings** ids) noexcept {
    auto stored = std::unique_ptr<rag_strings>();
    const rag_status status = guard([&] {
        if (ids != nullptr) *ids = nullptr;
        core::Engine& target = use(engine);
        const auto known = rag::capi::read_struct(options, rag_write_options RAG_WRITE_OPTIONS_INIT, "rag_write_options");
        core::WriteOptions out;
        out.batch_documents = known.batch_documents;
        out.progress = rag::capi::progress_of(known.progress, known.user_data);
        stored = std::make_unique<rag_strings>();
        (target.*method)(documents_of(documents, count), out, stored->texts);
    });
    if (ids != nullptr && (status == RAG_OK || status == RAG_STOPPED)) *ids = stored.release();
    return status;
}

}  // namespace

extern "C" {

rag_status rag_engine_open(rag_text path, const rag_engine_options* options, rag_engine** engine) noexcept {
    return guard([&] {
        require(engine, "engine") = nullptr;
        const auto known = rag::capi::read_struct(options, rag_engine_options RAG_ENGINE_OPTIONS_INIT, "rag_engine_options",
                                                  kFirstEngineOptions);
        core::EngineOptions out;
        if (given(path)) out.path = rag::capi::path_of(path, "path");
        if (known.embedder != nullptr) out.embedder = known.embedder->model;
        if (known.generator != nullptr) out.generator = known.generator->model;
        if (known.reranker != nullptr) out.reranker = known.reranker->model;
        out.read_only = known.read_only != 0;
        out.chunk_tokens = known.chunk_tokens;
        out.chunk_overlap = known.chunk_overlap;
        out.vector_type = rag::capi::vector_type_of(known.vector_dtype);
        out.chunker = core::chunker_of(known.chunker);
        out.progress = rag::capi::progress_of(known.progress, known.user_data);
        out.accept_loss = known.accept_loss != 0;
        out.metric = metric_of(known.metric);
        if (known.bm25 != nullptr) out.bm25 = rag::capi::bm25_options_of(known.bm25);
        *engine = new rag_engine{core::Engine::open(out)};
    });
}

rag_status rag_engine_close(rag_engine* engine) noexcept {
    return guard([&] { use(engine).close(); });
}

void rag_engine_free(rag_engine* engine) noexcept {
    delete engine;
}

rag_status rag_engine_add(rag_engine* engine, const rag_document* documents, size_t count, const rag_write_options* options,
                          rag_strings** ids) noexcept {
    return write(&core::Engine::add, engine, documents, count, options, ids);
}

rag_status rag_engine_upsert(rag_engine* engine, const rag_document* documents, size_t count, const rag_write_options* options,
                             rag_strings** ids) noexcept {
    return write(&core::Engine::upsert, engine, documents, count, options, ids);
}

rag_status rag_engine_delete(rag_engine* engine, const rag_text* ids, size_t count, rag_text where, rag_progress_fn progress,
                             void* user_data, uint64_t* deleted) noexcept {
    return guard([&] {
        if (deleted != nullptr) *deleted = 0;
        core::Engine& target = use(engine);
        const std::uint64_t gone = target.remove(rag::capi::texts_of(ids, count, "ids"), optional_text(where, "where"),
                                                 rag::capi::progress_of(progress, user_data));
        if (deleted != nullptr) *deleted = gone;
    });
}

rag_status rag_engine_get(rag_engine* engine, const rag_text* ids, size_t count, rag_progress_fn progress, void* user_data,
                          rag_documents** documents) noexcept {
    return guard([&] {
        require(documents, "documents") = nullptr;
        const auto views = rag::capi::texts_of(ids, count, "ids");
        auto found = use(engine).get(views, rag::capi::progress_of(progress, user_data));
        auto out = std::make_unique<rag_documents>();
        out->entries.reserve(count);
        for (size_t i = 0; i < count; ++i) out->entries.push_back({std::string(views[i]), std::move(found[i])});
        *documents = out.release();
    });
}

size_t rag_documents_count(const rag_documents* documents) noexcept {
    return documents == nullptr ? 0 : documents->entries.size();
}

rag_status rag_documents_at(const rag_documents* documents, size_t index, rag_document_view* out) noexcept {
    return guard([&] {
        const auto& entries = require(documents, "documents").entries;
        rag_document_view value = RAG_DOCUMENT_VIEW_INIT;
        if (index < entries.size()) {
            value.id = view(entries[index].id);
            if (const auto& document = entries[index].document) {
                value.found = 1;
                value.text = view(document->text);
                value.title = view(document->title);
                value.metadata = view(document->metadata);
                value.created_ms = document->created_ms;
                value.updated_ms = document->updated_ms;
                value.chunks = document->chunks;
                value.source = view(document->source);
                value.language = view(document->language);
            }
        }
        rag::capi::write_struct(out, value, "rag_document_view", offsetof(rag_document_view, source));
        if (index >= entries.size()) fail(Code::kInvalidArgument, "index is {}, there are {} documents", index, entries.size());
    });
}

void rag_documents_free(rag_documents* documents) noexcept {
    delete documents;
}

rag_status rag_engine_count(rag_engine* engine, uint64_t* count) noexcept {
    return guard([&] {
        require(count, "count") = 0;
        *count = use(engine).count();
    });
}

rag_status rag_engine_stats(rag_engine* engine, rag_string** json) noexcept {
    return guard([&] {
        require(json, "json") = nullptr;
        *json = new rag_string{use(engine).stats()};
    });
}

}  // extern "C"
