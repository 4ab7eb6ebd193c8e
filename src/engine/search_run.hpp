// One search in an engine, from a query whose mode is decided: candidates of the scorers that take part, their scores, the
// ranking, and what may follow it: a walk over links, diversity, grouping. For engine_search.cpp. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/id_set.hpp"
#include "engine/engine.hpp"
#include "engine/filter_cache.hpp"
#include "index/bm25/bm25_index.hpp"
#include "index/vector/vector_index.hpp"
#include "model/encoder.hpp"
#include "search/fusion.hpp"
#include "search/ranked.hpp"
#include "store/store.hpp"

namespace rag::core {

class Classifier;
struct EmbedderInUse;

struct SearchRun {
    const Query& query;
    SearchMode mode;
    FusionOptions fusion;
    std::span<const float> vector;  // of the query; empty in bm25 mode
    std::shared_ptr<Bm25Index> bm25;
    std::shared_ptr<VectorIndex> vectors;
    AllowedChunks allowed;
    Metric metric = Metric::kCosine;                       // of the knowledge base
    std::uint64_t removals = 0;                            // Indexes::removals() before `allowed` was made
    std::shared_ptr<const Classifier> reranker = nullptr;  // null: no reranking
    std::shared_ptr<EmbedderInUse> embedder = nullptr;
    std::int64_t vectors_from = 0;                            // see kVectorsFromMeta
    std::shared_ptr<const Encoder::Moment> moment = nullptr;  // of the embedder that was found to be that of the vectors
    std::string words = {};                                   // of a query of the language, without its signs
    const Progress* progress = nullptr;                       // polled without counts; null: nobody asks

    /// What models read of the query.
    std::string_view model_text() const { return query.syntax == Bm25Syntax::kLanguage ? std::string_view(words) : query.text; }

    /// To be called where no view of the store is held: whoever is asked may write.
    void look() const {
        if (progress != nullptr) report(*progress, 0, 0);
    }
    const Progress& asked() const {
        static const Progress none;
        return progress != nullptr ? *progress : none;
    }

    struct Candidates {
        std::vector<FusionCandidate> list;  // no id twice
        bool more = false;                  // a longer list may find others
    };
    /// The best `depth` of each scorer's list, with the scores of all scorers that take part; `filter` null: of all chunks.
    Candidates candidates(std::size_t depth, const IdSet* filter) const;
    /// Chunks that no list gave, by the same scorers.
    std::vector<FusionCandidate> score(std::span<const std::int64_t> ids) const;
    /// All of them, best first.
    std::vector<Ranked> rank(const std::vector<FusionCandidate>& candidates) const;
    /// Brings scores to [0, 1], so that they can be weighed against other things: fused ones and BM25's are divided by the best
    /// one, a vector's and a reranker's stretched from the least to the best.
    void normalise(std::vector<Ranked>& ranking) const;
    /// The first `count` of the ranking (normalised) by relevance and difference from one another. Vectors tell how like two
    /// chunks are, and where there are none, the share of terms that they have in common.
    std::vector<Ranked> diversify(const std::vector<Ranked>& ranking, std::size_t count, Store& store) const;
    /// How the score came about, as JSON; its parts sum to it.
    std::string explain(const Ranked& ranked) const;

  private:
    float vector_score(std::int64_t id, std::vector<float>& stored) const;
};

}  // namespace rag::core
