// BM25 over a snapshot: the score of a document is the sum over the query's terms of formula.hpp. N, df and the average length
// are those of the live documents of the snapshot, exactly.
//
// search() goes by windows of documents: in each window the terms' scores are added up term at a time in an array that stays in
// the first-level cache, and terms that cannot lift a document over the k-th best score any more are only looked up for the
// documents that the other terms found (MaxScore, Turtle and Flood 1995, with block-max bounds, Ding and Suel 2011). Each
// returned score is the sum over the query's terms in their order, so search() equals search_exhaustive() bit for bit.
// Thread-safe: functions of immutable input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/cancel.hpp"
#include "core/id_set.hpp"
#include "index/bm25/query.hpp"
#include "index/bm25/snapshot.hpp"

namespace rag::core {

struct Bm25Hit {
    std::int64_t id = 0;
    float score = 0;
    friend bool operator==(const Bm25Hit&, const Bm25Hit&) = default;
};

/// The best k of the documents that have a term of the query, best first, equal scores by ascending id. `filter` may be null.
/// Polls `progress` without counts, as score_documents does.
std::vector<Bm25Hit> search_snapshot(const Snapshot& snapshot, const Bm25Query& query, std::size_t k, const IdSet* filter,
                                     const Progress& progress = {});

/// The same by scoring every document on its own.
std::vector<Bm25Hit> search_snapshot_exhaustive(const Snapshot& snapshot, const Bm25Query& query, std::size_t k,
                                                const IdSet* filter);

/// The scores of the documents with these ids, in their order; 0 for those that have none of the terms or do not exist.
std::vector<float> score_documents(const Snapshot& snapshot, const Bm25Query& query, std::span<const std::int64_t> ids,
                                   const Progress& progress = {});

}  // namespace rag::core
