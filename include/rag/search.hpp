// What an engine's search takes and gives: rag::Query, rag::Hit.
#pragma once

#include <rag/bm25.hpp>
#include <rag/error.hpp>

#include <limits>
#include <utility>
#include <vector>

namespace rag {

enum class SearchMode : std::uint32_t {
    kAuto = RAG_SEARCH_AUTO,  ///< hybrid where there are vectors, else bm25
    kHybrid = RAG_SEARCH_HYBRID,
    kVector = RAG_SEARCH_VECTOR,
    kBm25 = RAG_SEARCH_BM25
};

enum class Fusion : std::uint32_t { kWeighted = RAG_FUSION_WEIGHTED, kReciprocalRank = RAG_FUSION_RECIPROCAL_RANK };
enum class Expand : std::uint32_t {
    kNone = RAG_EXPAND_NONE,
    kNeighbours = RAG_EXPAND_NEIGHBOURS,  ///< Hit::context is the chunk with those before and after it
    kSection = RAG_EXPAND_SECTION         ///< the section that holds the chunk
};

struct Query {
    std::string text;           ///< may be empty in vector mode when `vector` is given
    std::vector<float> vector;  ///< empty: the embedder's, of the text
    std::uint32_t k = 10;
    SearchMode mode = SearchMode::kAuto;
    std::string where;  ///< JSON filter over metadata; empty: all
    bool explain = false;
    std::uint32_t offset = 0;      ///< the first hit wanted, for pages; offset + k is at most RAG_MAX_RANKED
    std::uint32_t candidates = 0;  ///< that each scorer gives to what follows; 0: librag chooses
    Fusion fusion = Fusion::kWeighted;
    float vector_weight = -1;      ///< [0, 1], of weighted fusion; below 0: librag's choice
    float diversity = 0;           ///< [0, 1]: how much a hit loses by being like an earlier one
    std::uint32_t group_hits = 0;  ///< not 0: k counts documents, each with at most so many hits
    Expand expand = Expand::kNone;
    std::uint32_t neighbours = 1;  ///< chunks on each side, of Expand::kNeighbours
    float link_weight = 0;         ///< [0, 1]: of the links' part in the score
    float link_damping = 0.85F;
    float min_score = std::numeric_limits<float>::lowest();  ///< hits below are left out
    std::uint32_t rerank = 0;  ///< not 0: the engine's reranker reads so many of the best chunks, and hits are by its score
    Bm25Syntax syntax = Bm25Syntax::kPlain;  ///< kLanguage: hits are those that the operators allow
    bool highlight = false;                  ///< fills Hit::highlights
};

struct Hit {
    std::string id;  ///< of the chunk
    std::string doc_id;
    std::string text;
    std::string title;
    std::string metadata;    ///< JSON
    float score = 0;         ///< higher is better; comparable within one search only
    float vector_score = 0;  ///< by the metric: cosine, inner product, -(squared distance); NaN where the vector had no part
    float bm25_score = 0;    ///< NaN where BM25 had no part
    std::uint64_t start = 0, end = 0;  ///< bytes of the document's text
    std::string explain;               ///< JSON whose parts sum to the score, when asked for
    std::string title_path;            ///< headings above the chunk, joined by " > "
    std::string context;               ///< what Query::expand asked for
    std::uint64_t context_start = 0, context_end = 0;
    std::vector<std::pair<std::size_t, std::size_t>> highlights;  ///< bytes [first, end) of text, when asked for
};

/// An edge between documents (by id, or "id#") or chunks (by a hit's id), for searches with a link_weight; see rag_link.
struct Link {
    std::string source, target;
    std::string type;
    double weight = 1;  ///< above 0
};

namespace detail {

/// Valid as long as the query.
inline rag_query to_c(const Query& query) {
    rag_query out = RAG_QUERY_INIT;
    out.k = query.k;
    out.text = text(query.text);
    out.vector = query.vector.empty() ? nullptr : query.vector.data();
    out.dimension = static_cast<std::uint32_t>(query.vector.size());
    out.mode = static_cast<std::uint32_t>(query.mode);
    out.where = query.where.empty() ? rag_text{nullptr, 0} : text(query.where);
    out.explain = query.explain ? 1 : 0;
    out.offset = query.offset;
    out.candidates = query.candidates;
    out.fusion = static_cast<std::uint32_t>(query.fusion);
    out.vector_weight = query.vector_weight;
    out.diversity = query.diversity;
    out.group_hits = query.group_hits;
    out.expand = static_cast<std::uint32_t>(query.expand);
    out.neighbours = query.neighbours;
    out.link_weight = query.link_weight;
    out.link_damping = query.link_damping;
    out.min_score = query.min_score;
    out.rerank = query.rerank;
    out.syntax = static_cast<std::uint32_t>(query.syntax);
    out.highlight = query.highlight ? 1 : 0;
    return out;
}

inline rag_link to_c(const Link& link) {
    rag_link out = RAG_LINK_INIT;
    out.source = text(link.source);
    out.target = text(link.target);
    out.type = text(link.type);
    out.weight = link.weight;
    return out;
}

inline std::vector<Hit> from_c(const rag_hits* hits) {
    std::vector<Hit> out;
    const std::size_t count = rag_hits_count(hits);
    out.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        rag_hit hit = RAG_HIT_INIT;
        check(rag_hits_at(hits, i, &hit));
        out.push_back({copy(hit.id),
                       copy(hit.doc_id),
                       copy(hit.text),
                       copy(hit.title),
                       copy(hit.metadata),
                       hit.score,
                       hit.vector_score,
                       hit.bm25_score,
                       hit.start,
                       hit.end,
                       copy(hit.explain),
                       copy(hit.title_path),
                       copy(hit.context),
                       hit.context_start,
                       hit.context_end,
                       {}});
        for (std::size_t range = 0; range < hit.highlight_count; ++range) {
            out.back().highlights.emplace_back(static_cast<std::size_t>(hit.highlights[2 * range]),
                                               static_cast<std::size_t>(hit.highlights[2 * range + 1]));
        }
    }
    return out;
}

}  // namespace detail
}  // namespace rag
