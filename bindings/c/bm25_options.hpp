// rag_bm25_index_options as the core takes them, for an index and for an engine. Thread rule: a plain function.
#pragma once

#include <cstddef>
#include <string>

#include "arguments.hpp"
#include "index/bm25/bm25_index.hpp"

namespace rag::capi {

/// NULL: the defaults.
inline core::Bm25Options bm25_options_of(const rag_bm25_index_options* options) {
    constexpr std::size_t kFirstSize = offsetof(rag_bm25_index_options, variant);
    const auto known =
        read_struct(options, rag_bm25_index_options RAG_BM25_INDEX_OPTIONS_INIT, "rag_bm25_index_options", kFirstSize);
    core::Bm25Options out;
    // Negative means "the default"; NaN is passed on so that the index refuses it by name.
    if (!(known.k1 < 0)) out.k1 = known.k1;
    if (!(known.b < 0)) out.b = known.b;
    if (!(known.delta < 0)) out.delta = known.delta;
    if (!(known.k3 < 0)) out.k3 = known.k3;
    if (!(known.title_weight < 0)) out.title_weight = known.title_weight;
    out.variant = static_cast<core::Bm25Variant>(known.variant);
    out.positions = known.positions != 0;
    if (known.reserved != 0) core::fail(core::Code::kInvalidArgument, "rag_bm25_index_options.reserved is {}", known.reserved);
    if (given(known.language)) out.language = std::string(text_of(known.language, "language"));
    return out;
}

}  // namespace rag::capi
