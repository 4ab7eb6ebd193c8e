// rag_bm25_index_*: the lexical index over C.
#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "bm25_options.hpp"
#include "core/polled.hpp"
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

// As the first 0.1.0 had it.
constexpr std::size_t kFirstSearchOptions = offsetof(rag_bm25_search_options, progress);

rag_bm25_search_options known_options(const rag_bm25_search_options* options) {
    return rag::capi::read_struct(options, rag_bm25_search_options RAG_BM25_SEARCH_OPTIONS_INIT, "rag_bm25_search_options",
                                  kFirstSearchOptions);
}

core::Bm25Syntax syntax_of(const rag_bm25_search_options* options) {
    const auto known = known_options(options);
    if (known.syntax > RAG_BM25_LANGUAGE) core::fail(core::Code::kInvalidArgument, "there is no query syntax {}", known.syntax);
    return static_cast<core::Bm25Syntax>(known.syntax);
}

/// Ids, titles and texts of documents, checked.
struct Documents {
    Documents(const int64_t* given_ids, const rag_text* given_titles, const rag_text* given_texts, std::size_t count) {
        rag::capi::require_ids(given_ids, count);
        ids = {given_ids, count};
        texts = rag::capi::texts_of(given_texts, count, "texts");
        if (given_titles != nullptr) titles = rag::capi::texts_of(given_titles, count, "titles");
    }
    std::span<const int64_t> ids;
    std::vector<std::string_view> titles;
    std::vector<std::string_view> texts;
};

std::string to_json(const core::Bm25Index::Explanation& explanation) {
    nlohmann::ordered_json out;
    out["id"] = explanation.id;
    out["score"] = explanation.score;
    out["matches"] = explanation.matches;
    out["formula"] = explanation.formula;
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
                                {"weight", term.weight},
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
        *index = wrap(std::make_unique<core::Bm25Index>(rag::capi::bm25_options_of(options)));
    });
}

rag_status rag_bm25_index_load(rag_text path, rag_bm25_index** index) noexcept {
    return guard([&] {
        require(index, "index") = nullptr;
        *index = wrap(core::Bm25Index::load(rag::capi::path_of(path, "path")));
    });
}

rag_status rag_bm25_index_save(const rag_bm25_index* index, rag_text path, rag_progress_fn progress, void* user_data) noexcept {
    return guard([&] { use(index).save(rag::capi::path_of(path, "path"), 0, rag::capi::progress_of(progress, user_data)); });
}

void rag_bm25_index_free(rag_bm25_index* index) noexcept {
    delete index;
}

uint64_t rag_bm25_index_count(const rag_bm25_index* index) noexcept {
    uint64_t count = 0;
    static_cast<void>(guard([&] { count = use(index).size(); }));
    return count;
}

rag_status rag_bm25_index_add(rag_bm25_index* index, const int64_t* ids, const rag_text* titles, const rag_text* texts,
                              size_t count, rag_progress_fn progress, void* user_data) noexcept {
    return guard([&] {
        core::Bm25Index& target = use(index);
        const Documents documents(ids, titles, texts, count);
        if (count == 0) return;
        target.add(documents.ids, documents.titles, documents.texts, rag::capi::progress_of(progress, user_data));
    });
}

rag_status rag_bm25_index_upsert(rag_bm25_index* index, const int64_t* ids, const rag_text* titles, const rag_text* texts,
                                 size_t count, uint64_t* replaced, rag_progress_fn progress, void* user_data) noexcept {
    return guard([&] {
        if (replaced != nullptr) *replaced = 0;
        core::Bm25Index& target = use(index);
        const Documents documents(ids, titles, texts, count);
        if (count == 0) return;
        const std::size_t gone =
            target.upsert(documents.ids, documents.titles, documents.texts, rag::capi::progress_of(progress, user_data));
        if (replaced != nullptr) *replaced = gone;
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
                                 const rag_filter* filter, const rag_bm25_search_options* options, int64_t* ids,
                                 float* scores) noexcept {
    return guard([&] {
        const core::Bm25Index& target = use(index);
        rag::capi::require_k(k, count);
        const core::Bm25Syntax syntax = syntax_of(options);
        const auto views = rag::capi::texts_of(queries, count, "queries");
        rag::capi::require_array(ids, count, "ids");
        rag::capi::require_array(scores, count, "scores");
        const auto allowed = rag::capi::allowed_of(filter);
        const auto known = known_options(options);
        const core::Progress progress = rag::capi::progress_of(known.progress, known.user_data);
        for (std::size_t row = 0; row < count; ++row) {
            core::report(progress, 0, 0);
            const auto results = target.search(views[row], k, allowed ? &*allowed : nullptr, syntax, progress);
            rag::capi::write_row(results, k, ids + row * k, scores + row * k);
        }
    });
}

rag_status rag_bm25_index_explain(const rag_bm25_index* index, rag_text query, int64_t id, const rag_bm25_search_options* options,
                                  rag_string** json) noexcept {
    return guard([&] {
        require(json, "json") = nullptr;
        const core::Bm25Syntax syntax = syntax_of(options);
        const auto known = known_options(options);
        const core::Progress progress = rag::capi::progress_of(known.progress, known.user_data);
        *json = new rag_string{to_json(use(index).explain(rag::capi::text_of(query, "query"), id, syntax, progress))};
    });
}

rag_status rag_bm25_index_highlight(const rag_bm25_index* index, rag_text query, rag_text text,
                                    const rag_bm25_search_options* options, uint64_t* ranges, size_t capacity,
                                    size_t* count) noexcept {
    return guard([&] {
        require(count, "count") = 0;
        rag::capi::require_array(ranges, capacity, "ranges");
        const auto known = known_options(options);
        std::vector<core::Range> found;
        core::run_polled(rag::capi::progress_of(known.progress, known.user_data), [&](const core::Progress& progress) {
            found = use(index).highlight(rag::capi::text_of(query, "query"), rag::capi::text_of(text, "text"), syntax_of(options),
                                         progress);
        });
        for (std::size_t i = 0; i < found.size() && i < capacity; ++i) {
            ranges[2 * i] = found[i].start;
            ranges[2 * i + 1] = found[i].end;
        }
        *count = found.size();
    });
}

}  // extern "C"
