// What BM25 can be told, beside an index (rag::Bm25Index) and in an engine: the formula's settings and how queries are read.
#pragma once

#include <rag/error.hpp>

#include <cstdint>
#include <string>

namespace rag {

enum class Bm25Variant : std::uint32_t {
    kLucene = RAG_BM25_LUCENE,
    kOkapi = RAG_BM25_OKAPI,
    kPlus = RAG_BM25_PLUS,
    kL = RAG_BM25_L
};
/// kLanguage: phrases, prefixes and operators, see rag_bm25_syntax.
enum class Bm25Syntax : std::uint32_t { kPlain = RAG_BM25_PLAIN, kLanguage = RAG_BM25_LANGUAGE };

/// See rag_bm25_index_options. Negative: the default.
struct Bm25IndexOptions {
    float k1 = 1.2F;
    float b = 0.5F;
    std::string language = "auto";
    Bm25Variant variant = Bm25Variant::kLucene;
    float delta = -1.0F;
    float k3 = 1.0F;
    float title_weight = 2.0F;
    bool positions = false;
};

namespace detail {

/// Valid as long as the options.
inline rag_bm25_index_options to_c(const Bm25IndexOptions& options) {
    rag_bm25_index_options out = RAG_BM25_INDEX_OPTIONS_INIT;
    out.k1 = options.k1;
    out.b = options.b;
    out.language = text(options.language);
    out.variant = static_cast<std::uint32_t>(options.variant);
    out.delta = options.delta;
    out.k3 = options.k3;
    out.title_weight = options.title_weight;
    out.positions = options.positions ? 1 : 0;
    return out;
}

}  // namespace detail
}  // namespace rag
