// Rankings against judgments, as trec_eval computes it: documents in order of falling score, equal scores by falling id (so that
// the order in which a run was written down cannot help it), relevant from judgment 1 on. Every judged query counts: one that the
// run leaves out scores 0 (trec_eval's -c), so that a system gains nothing by being silent. Queries without judgments are left
// out. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// One document that a run returned for a query.
struct RankedDocument {
    std::string_view query, document;
    double score = 0;
};
/// One judgment: 0 or less is not relevant.
struct Judgment {
    std::string_view query, document;
    std::int32_t relevance = 0;
};

struct RetrievalReport {
    std::vector<std::string> queries;         // judged ones, in the order of their first judgment
    std::vector<std::vector<double>> values;  // [metrics][queries]
    std::vector<double> means;                // [metrics]
};

/// Errors: kInvalidArgument for an unknown metric, none, no judgments, a score that is no number, a document twice for a query
/// (in the run or in the judgments); the query and the document are named.
RetrievalReport evaluate_retrieval(std::span<const RankedDocument> run, std::span<const Judgment> judgments,
                                   std::span<const std::string_view> metrics);

}  // namespace rag::core
