// The condition of a query of the language (query_parser.hpp) on the documents of a snapshot, as one bit a document: words are
// postings, phrases are their postings and a look at positions, groups are bit operations. Made once a query; any thread reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/cancel.hpp"
#include "index/bm25/query_parser.hpp"
#include "index/bm25/snapshot.hpp"
#include "text/analyze.hpp"

namespace rag::core {

/// Most terms that one prefix may stand for.
inline constexpr std::size_t kMaxPrefixTerms = 1000;

class QueryMatch {
  public:
    /// Gives the terms that are looked for to `looked_for`, in their order. kInvalidArgument: a prefix of too many terms, a
    /// phrase of more than one word where the index has no positions. Polls `progress` without counts.
    QueryMatch(const QueryNode& query, const Analyzer& analyzer, const Snapshot& snapshot, TermSink& looked_for,
               const Progress& progress = {});

    bool matches(std::size_t segment, std::uint32_t doc) const noexcept {
        return ((bits_[segment][doc / 64] >> (doc % 64)) & 1U) != 0;
    }

  private:
    std::vector<std::vector<std::uint64_t>> bits_;  // of each segment of the snapshot
};

/// The terms that a query of the language looks for, without an index: what highlights need. Prefixes come as they are.
struct LookedFor {
    std::vector<Analyzer::Term> terms;
    std::vector<std::string> prefixes;                 // folded
    std::vector<std::vector<Analyzer::Term>> phrases;  // of more than one term, without those that are part of others
};
LookedFor looked_for(const QueryNode& query, const Analyzer& analyzer);

}  // namespace rag::core
