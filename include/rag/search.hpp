// What an engine's search takes and gives: rag::Query, rag::Hit.
#pragma once

#include <rag/error.hpp>

#include <vector>

namespace rag {

enum class SearchMode : std::uint32_t {
    kAuto = RAG_SEARCH_AUTO,  ///< hybrid where there are vectors, else bm25
    kHybrid = RAG_SEARCH_HYBRID,
    kVector = RAG_SEARCH_VECTOR,
    kBm25 = RAG_SEARCH_BM25
};

struct Query {
    std::string text;           ///< may be empty in vector mode when `vector` is given
    std::vector<float> vector;  ///< empty: the embedder's, of the text
    std::uint32_t k = 10;
    SearchMode mode = SearchMode::kAuto;
    std::string where;  ///< JSON filter over metadata; empty: all
    bool explain = false;
};

struct Hit {
    std::string id;  ///< of the chunk
    std::string doc_id;
    std::string text;
    std::string title;
    std::string metadata;              ///< JSON
    float score = 0;                   ///< higher is better; comparable within one search only
    float vector_score = 0;            ///< NaN where the vector had no part
    float bm25_score = 0;              ///< NaN where BM25 had no part
    std::uint64_t start = 0, end = 0;  ///< bytes of the document's text
    std::string explain;               ///< JSON, when asked for
};

namespace detail {

inline std::vector<Hit> from_c(const rag_hits* hits) {
    std::vector<Hit> out;
    const std::size_t count = rag_hits_count(hits);
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        rag_hit hit = RAG_HIT_INIT;
        check(rag_hits_at(hits, i, &hit));
        out.push_back({copy(hit.id), copy(hit.doc_id), copy(hit.text), copy(hit.title), copy(hit.metadata), hit.score,
                       hit.vector_score, hit.bm25_score, hit.start, hit.end, copy(hit.explain)});
    }
    return out;
}

}  // namespace detail
}  // namespace rag
