// What the two indexes share at the C boundary: the filter by ids, and rows of k results.
#pragma once

#include <rag/rag.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "arguments.hpp"
#include "core/id_set.hpp"

namespace rag::capi {

/// The allowed ids; nothing when there is no filter.
inline std::optional<core::IdSet> allowed_of(const rag_filter* filter) {
    if (filter == nullptr) return std::nullopt;
    const rag_filter known = read_struct(filter, rag_filter RAG_FILTER_INIT, "filter");
    require_array(known.ids, known.count, "filter.ids");
    return core::IdSet(std::span(known.ids, known.count));
}

/// Fills one row of k from results that have id and score; the rest is -1 and NaN.
template <typename Results>
void write_row(const Results& results, std::uint32_t k, std::int64_t* ids, float* scores) {
    for (std::uint32_t i = 0; i < k; ++i) {
        const bool found = i < results.size();
        ids[i] = found ? results[i].id : -1;
        scores[i] = found ? static_cast<float>(results[i].score) : std::numeric_limits<float>::quiet_NaN();
    }
}

/// Ids of the C interface are 0 or more, so that -1 can mean "none".
inline void require_ids(const std::int64_t* ids, std::size_t count) {
    require_array(ids, count, "ids");
    for (std::size_t i = 0; i < count; ++i) {
        if (ids[i] < 0) fail(Code::kInvalidArgument, "ids[{}] is {}, ids are 0 or more", i, ids[i]);
    }
}

/// Before anything is written: callers may have allocated nothing yet.
inline void require_k(std::uint32_t k, std::size_t queries) {
    if (k == 0) fail(Code::kInvalidArgument, "k is 0, it must be 1 or more");
    if (k > RAG_MAX_RESULTS || queries > RAG_MAX_RESULTS / k) {
        fail(Code::kInvalidArgument, "k is {} for {} queries, that is more than {} results at once", k, queries, RAG_MAX_RESULTS);
    }
}

}  // namespace rag::capi
