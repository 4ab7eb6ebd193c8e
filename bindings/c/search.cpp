// rag_engine_search, batches, hits, and links: searching over C.
#include "arguments.hpp"
#include "engine/engine.hpp"
#include "generation.hpp"
#include "guard.hpp"
#include "handles.hpp"

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

// As the first 0.1.0 had it.
constexpr size_t kFirstQuery = offsetof(rag_query, rerank);

core::Query to_core(const rag_query& known) {
    core::Query out;
    out.text = text_of(known.text, "query.text");
    rag::capi::require_array(known.vector, known.dimension, "query.vector");
    if (known.vector != nullptr && known.dimension == 0) fail(Code::kInvalidArgument, "query.vector has dimension 0");
    if (known.vector != nullptr) out.vector = {known.vector, known.dimension};
    if (known.k != 0) out.k = known.k;
    out.mode = rag::capi::mode_of(known.mode);
    if (given(known.where)) out.where = text_of(known.where, "query.where");
    out.explain = known.explain != 0;
    out.offset = known.offset;
    out.candidates = known.candidates;
    if (known.fusion > RAG_FUSION_RECIPROCAL_RANK)
        fail(Code::kInvalidArgument, "fusion is {}, it must be 0 (weighted) or 1 (reciprocal rank)", known.fusion);
    if (known.fusion == RAG_FUSION_RECIPROCAL_RANK) out.fusion.method = core::FusionMethod::kReciprocalRank;
    if (!(known.vector_weight < 0.0F)) out.fusion.vector_weight = known.vector_weight;
    out.diversity = known.diversity;
    out.group_hits = known.group_hits;
    if (known.expand > RAG_EXPAND_SECTION)
        fail(Code::kInvalidArgument, "expand is {}, it must be 0 (none), 1 (neighbours) or 2 (section)", known.expand);
    out.expand = static_cast<core::Expand>(known.expand);
    out.neighbours = known.neighbours;
    out.link_weight = known.link_weight;
    out.link_damping = known.link_damping;
    out.min_score = known.min_score;
    out.rerank = known.rerank;
    if (known.syntax > RAG_BM25_LANGUAGE) fail(Code::kInvalidArgument, "there is no query syntax {}", known.syntax);
    out.syntax = static_cast<core::Bm25Syntax>(known.syntax);
    out.highlight = known.highlight != 0;
    return out;
}

/// The elements of a caller's array; a newer caller's are longer than ours: its struct_size is the stride.
template <typename T>
std::vector<T> structs_of(const T* array, size_t count, const T& defaults, const char* name, size_t first_size = sizeof(T)) {
    rag::capi::require_array(array, count, name);
    if (count > 1 && array->struct_size % alignof(T) != 0) {
        fail(Code::kInvalidArgument, "{}[0].struct_size is {}, no multiple of {}: the elements behind it are misaligned", name,
             array->struct_size, alignof(T));
    }
    std::vector<T> out;
    out.reserve(count);
    const auto* bytes = reinterpret_cast<const std::byte*>(array);
    for (size_t i = 0; i < count; ++i) {
        const auto* element = reinterpret_cast<const T*>(bytes + i * array->struct_size);
        if (element->struct_size != array->struct_size) {
            fail(Code::kInvalidArgument, "{}[{}].struct_size is {}, that of {}[0] is {}", name, i, element->struct_size, name,
                 array->struct_size);
        }
        out.push_back(rag::capi::read_struct(element, defaults, name, first_size));
    }
    return out;
}

std::vector<core::Link> links_of(const rag_link* links, size_t count) {
    std::vector<core::Link> out;
    for (const rag_link& link : structs_of(links, count, rag_link RAG_LINK_INIT, "links")) {
        out.push_back({std::string(text_of(link.source, "link.source")), std::string(text_of(link.target, "link.target")),
                       std::string(text_of(link.type, "link.type")), link.weight});
    }
    return out;
}

}  // namespace

extern "C" {

rag_status rag_engine_search(rag_engine* engine, const rag_query* query, rag_hits** hits) noexcept {
    return guard([&] {
        require(hits, "hits") = nullptr;
        core::Engine& target = use(engine);
        const auto known = rag::capi::read_struct(&require(query, "query"), rag_query RAG_QUERY_INIT, "rag_query", kFirstQuery);
        *hits = new rag_hits{target.search(to_core(known), rag::capi::progress_of(known.progress, known.user_data))};
    });
}

rag_status rag_engine_search_batch(rag_engine* engine, const rag_query* queries, size_t count,
                                   const rag_search_batch_options* options, rag_hits** hits) noexcept {
    return guard([&] {
        rag::capi::require_array(hits, count, "hits");
        std::fill_n(hits, count, nullptr);
        core::Engine& target = use(engine);
        const auto known =
            rag::capi::read_struct(options, rag_search_batch_options RAG_SEARCH_BATCH_OPTIONS_INIT, "rag_search_batch_options");
        std::vector<core::Query> asked;
        for (const rag_query& query : structs_of(queries, count, rag_query RAG_QUERY_INIT, "queries", kFirstQuery))
            asked.push_back(to_core(query));
        auto found = target.search(asked, {known.threads, rag::capi::progress_of(known.progress, known.user_data)});
        std::vector<std::unique_ptr<rag_hits>> made;
        for (auto& one : found) made.push_back(std::make_unique<rag_hits>(rag_hits{std::move(one)}));
        for (size_t i = 0; i < count; ++i) hits[i] = made[i].release();
    });
}

size_t rag_hits_count(const rag_hits* hits) noexcept {
    return hits == nullptr ? 0 : hits->hits.size();
}

rag_status rag_hits_at(const rag_hits* hits, size_t index, rag_hit* out) noexcept {
    return guard([&] {
        const auto& all = require(hits, "hits").hits;
        rag_hit value = RAG_HIT_INIT;
        if (index < all.size()) {
            const core::Hit& hit = all[index];
            value.score = hit.score;
            value.id = view(hit.id);
            value.doc_id = view(hit.document_id);
            value.text = view(hit.text);
            value.title = view(hit.title);
            value.metadata = view(hit.metadata);
            value.start = hit.start;
            value.end = hit.end;
            value.vector_score = hit.vector_score;
            value.bm25_score = hit.bm25_score;
            if (!hit.explain.empty()) value.explain = view(hit.explain);
            value.title_path = view(hit.title_path);
            if (!hit.context.empty()) value.context = view(hit.context);
            value.context_start = hit.context_start;
            value.context_end = hit.context_end;
            if (!hit.highlights.empty()) value.highlights = hit.highlights.data();
            value.highlight_count = hit.highlights.size() / 2;
        }
        rag::capi::write_struct(out, value, "rag_hit");
        if (index >= all.size()) fail(Code::kInvalidArgument, "index is {}, there are {} hits", index, all.size());
    });
}

void rag_hits_free(rag_hits* hits) noexcept {
    delete hits;
}

rag_status rag_engine_link(rag_engine* engine, const rag_link* links, size_t count) noexcept {
    return guard([&] { use(engine).link(links_of(links, count)); });
}

rag_status rag_engine_unlink(rag_engine* engine, const rag_link* links, size_t count, uint64_t* removed) noexcept {
    return guard([&] {
        if (removed != nullptr) *removed = 0;
        core::Engine& target = use(engine);
        const std::uint64_t gone = target.unlink(links_of(links, count));
        if (removed != nullptr) *removed = gone;
    });
}

rag_status rag_engine_links(rag_engine* engine, const rag_text* ids, size_t count, rag_links** links) noexcept {
    return guard([&] {
        require(links, "links") = nullptr;
        core::Engine& target = use(engine);
        *links = new rag_links{target.links(rag::capi::texts_of(ids, count, "ids"))};
    });
}

size_t rag_links_count(const rag_links* links) noexcept {
    return links == nullptr ? 0 : links->links.size();
}

rag_status rag_links_at(const rag_links* links, size_t index, rag_link* out) noexcept {
    return guard([&] {
        const auto& all = require(links, "links").links;
        rag_link value = RAG_LINK_INIT;
        if (index < all.size()) {
            const core::Link& link = all[index];
            value.source = view(link.source);
            value.target = view(link.target);
            value.type = view(link.type);
            value.weight = link.weight;
        }
        rag::capi::write_struct(out, value, "rag_link");
        if (index >= all.size()) fail(Code::kInvalidArgument, "index is {}, there are {} links", index, all.size());
    });
}

void rag_links_free(rag_links* links) noexcept {
    delete links;
}

}  // extern "C"
