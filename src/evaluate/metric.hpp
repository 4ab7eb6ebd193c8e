// Names of retrieval metrics, such as "ndcg@10": what is measured and how deep. Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rag::core {

/// What a retrieval metric measures of one query. Relevant: judged 1 or more.
enum class RetrievalMeasure : std::uint8_t {
    kNdcg,       // linear gains, logarithmic discount, over the best possible order (Jarvelin and Kekalainen, 2002)
    kRecall,     // relevant ones found, of all relevant
    kPrecision,  // relevant ones found, of the depth
    kMap,        // average precision: the mean over all relevant of the precision where each was found
    kMrr,        // one over the rank of the first relevant one
    kHit,        // 1 if a relevant one was found
};

struct RetrievalMetric {
    RetrievalMeasure measure = RetrievalMeasure::kNdcg;
    std::size_t depth = 0;  // ranks that count; 0: all
};

/// "ndcg@10", "recall@100", "precision@5", "map", "mrr@10", "hit@1"; without "@k" all ranks count (not for precision, which
/// needs a depth). kInvalidArgument names what is unknown and lists what there is.
RetrievalMetric parse_metric(std::string_view name);

}  // namespace rag::core
