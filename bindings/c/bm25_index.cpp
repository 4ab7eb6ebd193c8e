// rag_bm25_index_*: the lexical index over C.
#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "guard.hpp"
#include "handles.hpp"
#include "index_results.hpp"

namespace core = rag::core;
using rag::capi::guard;
using rag::capi::require;

namespace {

core::Bm25Index& use(const rag_bm25_index* index) {
    require(index, "index").fork_guard.check("the BM25 index");
    return *index->index;
}

rag_bm25_index* wrap(std::unique_ptr<core::Bm25Index> index) {
    return new rag_bm25_index{std::move(index), {}};
}

std::string to_json(const core::Bm25Index::Explanation& explanation) {
    nlohmann::ordered_json out;
    out["id"] = explanation.id;
    out["score"] = explanation.score;
    out["documents"] = explanation.documents;
    out["length"] = explanation.length;
    out["average_length"] = explanation.average_length;
    out["norm"] = explanation.norm;
    out["terms"] = nlohmann::ordered_json::array();
    for (const auto& term : explanation.terms) {
        out["terms"].push_back({{"term", term.term},
                                {"query_count", term.query_count},
                                {"documents", term.documents},
                                {"idf", term.idf},
                                {"frequency", term.frequency},
                                {"score", term.score}});
    }
    return out.dump();
}

}  // namespace

extern "C" {

rag_status rag_bm25_index_create(const rag_bm25_index_options* options, rag_bm25_index** index) noexcept {
    return guard([&] {
        require(index, "index") = nullptr;
        const auto known =
            rag::capi::read_struct(options, rag_bm25_index_options RAG_BM25_INDEX_OPTIONS_INIT, "rag_bm25_index_options");
        core::Bm25Options out;
        // Negative means "the default"; NaN is passed on so that the index refuses it by name.
        if (!(known.k1 < 0)) out.k1 = known.k1;
        if (!(known.b < 0)) out.b = known.b;
        if (rag::capi::given(known.language)) out.language = std::string(rag::capi::text_of(known.language, "language"));
        *index = wrap(std::make_unique<core::Bm25Index>(out));
    });
}

rag_status rag_bm25_index_load(rag_text path, rag_bm25_index** index) noexcept {
    return guard([&] {
        require(index, "index") = nullptr;
        *index = wrap(core::Bm25Index::load(rag::capi::path_of(path, "path")));
    });
}

rag_status rag_bm25_index_save(const rag_bm25_index* index, rag_text path) noexcept {
    return guard([&] { use(index).save(rag::capi::path_of(path, "path")); });
}

void rag_bm25_index_free(rag_bm25_index* index) noexcept {
    delete index;
}

uint64_t rag_bm25_index_count(const rag_bm25_index* index) noexcept {
    uint64_t count = 0;
    static_cast<void>(guard([&] { count = use(index).size(); }));
    return count;
}

rag_status rag_bm25_index_add(rag_bm25_index* index, const int64_t* ids, const rag_text* texts, size_t count,
                              rag_progress_fn progress, void* user_data) noexcept {
    return guard([&] {
        core::Bm25Index& target = use(index);
        rag::capi::require_ids(ids, count);
        const auto views = rag::capi::texts_of(texts, count, "texts");
        if (count == 0) return;
        target.add({ids, count}, views, rag::capi::progress_of(progress, user_data));
    });
}

rag_status rag_bm25_index_remove(rag_bm25_index* index, const int64_t* ids, size_t count, uint64_t* removed) noexcept {
    return guard([&] {
        if (removed != nullptr) *removed = 0;
        core::Bm25Index& target = use(index);
        rag::capi::require_array(ids, count, "ids");
        const std::size_t gone = target.remove({ids, count});
        if (removed != nullptr) *removed = gone;
    });
}

rag_status rag_bm25_index_search(const rag_bm25_index* index, const rag_text* queries, size_t count, uint32_t k,
                                 const rag_filter* filter, int64_t* ids, float* scores) noexcept {
    return guard([&] {
        const core::Bm25Index& target = use(index);
        const auto views = rag::capi::texts_of(queries, count, "queries");
        rag::capi::require_array(ids, count, "ids");
        rag::capi::require_array(scores, count, "scores");
        rag::capi::require_k(k, count);
        const rag::capi::IdSet allowed(filter);
        for (std::size_t row = 0; row < count; ++row) {
            const auto results = target.search(views[row], k, allowed.predicate());
            rag::capi::write_row(results, k, ids + row * k, scores + row * k);
        }
    });
}

rag_status rag_bm25_index_explain(const rag_bm25_index* index, rag_text query, int64_t id, rag_string** json) noexcept {
    return guard([&] {
        require(json, "json") = nullptr;
        *json = new rag_string{to_json(use(index).explain(rag::capi::text_of(query, "query"), id))};
    });
}

}  // extern "C"
