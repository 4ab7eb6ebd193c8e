// BM25 over a snapshot: score(q, d) = sum over the query's terms of count * idf * tf / (tf + k1 (1 - b + b len / average)),
// idf = ln(1 + (N - df + 0.5) / (df + 0.5)) (Robertson and Zaragoza 2009, in the variant of Lucene 8 and later: no factor k1 +
// 1). N, df and average are those of the live documents of the snapshot, exactly.
//
// search() goes by windows of documents: in each window the terms' scores are added up term at a time in an array that stays in
// the first-level cache, and terms that cannot lift a document over the k-th best score any more are only looked up for the
// documents that the other terms found (MaxScore, Turtle and Flood 1995, with block-max bounds, Ding and Suel 2011). Each
// returned score is the sum over the query's terms in their order, so search() equals search_exhaustive() bit for bit.
// Thread-safe: functions of immutable input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/bm25/snapshot.hpp"
#include "text/analyze.hpp"

namespace rag::core {

struct Bm25Hit {
    std::int64_t id = 0;
    float score = 0;
    friend bool operator==(const Bm25Hit&, const Bm25Hit&) = default;
};

/// True for the ids that may be returned.
using Bm25Filter = std::function<bool(std::int64_t)>;

struct Bm25QueryTerm {
    std::string text;
    std::uint64_t hash = 0;
    std::uint32_t count = 0;      // in the query
    std::uint64_t documents = 0;  // live ones that have it
    double idf = 0;
    float weight = 0;  // count * idf
};

/// A query against one snapshot: its distinct terms in the order of their first occurrence.
struct Bm25Query {
    std::vector<Bm25QueryTerm> terms;
    double average_length = 0;
    // norm of a document: norm_constant + norm_slope * length
    float norm_constant = 0;
    float norm_slope = 0;

    float posting_score(float weight, float frequency, std::uint32_t length) const noexcept {
        return weight * (frequency / (frequency + (norm_constant + norm_slope * static_cast<float>(length))));
    }
};

Bm25Query make_query(const Analyzer& analyzer, const Snapshot& snapshot, std::string_view text, double k1, double b);

/// The best k of the documents that have a term of the query, best first, equal scores by ascending id. `filter` may be null.
std::vector<Bm25Hit> search_snapshot(const Snapshot& snapshot, const Bm25Query& query, std::size_t k, const Bm25Filter* filter);

/// The same by scoring every document on its own.
std::vector<Bm25Hit> search_snapshot_exhaustive(const Snapshot& snapshot, const Bm25Query& query, std::size_t k,
                                                const Bm25Filter* filter);

/// The scores of the documents with these ids, in their order; 0 for those that have none of the terms or do not exist.
std::vector<float> score_documents(const Snapshot& snapshot, const Bm25Query& query, std::span<const std::int64_t> ids);

}  // namespace rag::core
