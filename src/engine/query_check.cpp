#include "engine/query_check.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {
namespace {

// Up to here a vector search costs the same for every k: its beam is never narrower.
constexpr std::size_t kVectorWindow = 64;

void check_share(std::string_view name, float value) {
    if (!(value >= 0.0F && value <= 1.0F)) fail(Code::kInvalidArgument, "{} is {}, it must be 0 to 1", name, value);
}

void check_stages(const Query& query) {
    if (query.k > kMaxResults || query.offset > kMaxResults - query.k || query.candidates > kMaxResults) {
        fail(Code::kInvalidArgument,
             "k is {}, offset {}, candidates {}: at most {} hits are ranked; narrow the search with where", query.k, query.offset,
             query.candidates, kMaxResults);
    }
    check_share("diversity", query.diversity);
    check_share("link_weight", query.link_weight);
    if (!(query.link_damping >= 0.0F && query.link_damping < 1.0F))
        fail(Code::kInvalidArgument, "link_damping is {}, it must be at least 0 and below 1", query.link_damping);
    if (query.diversity > 0 && std::max(query.candidates, query.offset + query.k) > kMaxDiverse) {
        fail(Code::kInvalidArgument, "k is {}, offset {}, candidates {}: with diversity at most {} hits are ranked", query.k,
             query.offset, query.candidates, kMaxDiverse);
    }
    if (query.expand > Expand::kSection) fail(Code::kInvalidArgument, "expand is {}", static_cast<std::uint32_t>(query.expand));
    if (query.neighbours > kMaxNeighbours)
        fail(Code::kInvalidArgument, "neighbours is {}, at most {} are taken", query.neighbours, kMaxNeighbours);
    if (query.rerank > 0 && std::max(query.rerank, query.offset + query.k) > kMaxReranked) {
        fail(Code::kInvalidArgument, "rerank is {}, k {}, offset {}: at most {} chunks are reranked", query.rerank, query.k,
             query.offset, kMaxReranked);
    }
    if (query.rerank > 0 && query.text.empty()) fail(Code::kInvalidArgument, "reranking needs a text, and the query has none");
    if (std::isnan(query.min_score)) fail(Code::kInvalidArgument, "min_score is NaN");
    if (query.fusion.method > FusionMethod::kReciprocalRank)
        fail(Code::kInvalidArgument, "the fusion method is {}", static_cast<int>(query.fusion.method));
}

}  // namespace

void check_query(const Query& query) {
    if (query.text.size() > kMaxQueryBytes)
        fail(Code::kInvalidArgument, "the query has {} bytes, at most {} are taken", query.text.size(), kMaxQueryBytes);
    require_utf8(query.text, "the query");
    if (query.text.empty() && query.vector.empty()) fail(Code::kInvalidArgument, "the query is empty");
    if (query.text.empty() && (query.mode == SearchMode::kBm25 || query.mode == SearchMode::kHybrid)) {
        fail(Code::kInvalidArgument, "a {} search needs a text, and the query has none",
             query.mode == SearchMode::kBm25 ? "bm25" : "hybrid");
    }
    if (query.syntax > Bm25Syntax::kLanguage)
        fail(Code::kInvalidArgument, "there is no query syntax {}", static_cast<std::uint32_t>(query.syntax));
    if (query.mode > SearchMode::kBm25)
        fail(Code::kInvalidArgument, "the search mode is {}", static_cast<std::uint32_t>(query.mode));
    check_stages(query);
}

SearchMode decide_mode(const Query& query, bool embeds, std::size_t dimension) {
    const bool can_embed = !query.vector.empty() || embeds;
    if (query.mode == SearchMode::kBm25) return query.mode;
    if (query.mode == SearchMode::kAuto && !query.text.empty()) {
        return dimension != 0 && can_embed ? SearchMode::kHybrid : SearchMode::kBm25;
    }
    if (!can_embed) {
        fail(Code::kInvalidState, "a search by vector needs one: give it with the query, or open the engine with an embedder");
    }
    return query.mode == SearchMode::kAuto ? SearchMode::kVector : query.mode;
}

std::size_t depth_of(const Query& query, SearchMode mode) {
    const std::size_t page_end = std::max(query.offset + query.k, query.rerank);
    if (query.candidates != 0) return std::max(query.candidates, page_end);
    const bool plain = query.diversity == 0 && query.group_hits == 0 && query.link_weight == 0;
    if (plain && mode == SearchMode::kBm25) return page_end;  // exact, so a longer list begins with the shorter one
    if (plain && mode == SearchMode::kVector && page_end <= kVectorWindow) return kVectorWindow;
    if (query.diversity > 0) return page_end <= 100 ? 100 : kMaxDiverse;
    std::size_t depth = 100;
    while (depth < page_end) depth *= 10;
    return depth;
}

}  // namespace rag::core
