// A query made ready for one snapshot: its distinct terms with their weights, the formula, and, where the query language asks for
// more than "any of these words", the condition that a document has to meet. Immutable after it was made: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "index/bm25/formula.hpp"
#include "index/bm25/query_match.hpp"
#include "index/bm25/snapshot.hpp"
#include "text/analyze.hpp"

namespace rag::core {

/// How a query is read. kPlain: words to look for, nothing else in it has a meaning. kLanguage: see query_parser.hpp.
enum class Bm25Syntax : std::uint32_t { kPlain = 0, kLanguage = 1 };

/// What of an index's options scoring needs.
struct Bm25Parameters {
    Bm25Variant variant = Bm25Variant::kLucene;
    double k1 = 1.2;
    double b = 0.5;
    double delta = 0;
    double k3 = 1;
    double unit = 1;  // of frequencies and lengths
};

struct Bm25QueryTerm {
    std::string text;
    std::uint64_t hash = 0;
    std::uint32_t count = 0;      // in the query
    std::uint64_t documents = 0;  // live ones that have it
    double idf = 0;
    float weight = 0;  // idf times what k3 makes of count; 0: has no share in any score
};

struct Bm25Query {
    std::vector<Bm25QueryTerm> terms;  // distinct, in the order of their first occurrence
    Bm25Formula formula;
    double average_length = 0;                // in units
    std::unique_ptr<const QueryMatch> match;  // null: every document with one of the terms
};

/// kInvalidArgument: an error in the query language, which says where. Polls `progress` without counts.
Bm25Query make_query(const Analyzer& analyzer, const Snapshot& snapshot, std::string_view text, const Bm25Parameters& parameters,
                     Bm25Syntax syntax = Bm25Syntax::kPlain, const Progress& progress = {});

}  // namespace rag::core
