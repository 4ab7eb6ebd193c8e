// Searching: which scorers take part, their candidates, fusion, and the chunks behind the keys.
//
// The indexes may hold chunks that the database does not show (a write is under way) or not any more. Such candidates are
// dropped, and the search is made again without them, so that k hits come wherever k chunks match.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "engine/engine_state.hpp"
#include "search/metadata_filter.hpp"

namespace rag::core {
namespace {

constexpr int kAttempts = 10;  // more than one only while somebody writes
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

double cosine(std::span<const float> a, std::span<const float> b) {
    double product = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        product += static_cast<double>(a[i]) * b[i];
        aa += static_cast<double>(a[i]) * a[i];
        bb += static_cast<double>(b[i]) * b[i];
    }
    return product / std::sqrt(aa * bb);
}

/// How much of the query the embedder knows: the share of its tokens that are not the unknown one. MiniLM reads most Chinese as
/// [UNK], and its vectors then say little, so their weight falls with the share.
float known_share(const Encoder& encoder, std::string_view text) {
    const auto unknown = encoder.tokenizer().token_to_id(encoder.tokenizer().unk_token());
    if (!unknown) return 1.0F;
    std::vector<std::int32_t> ids;
    encoder.tokenizer().encode_ids(text, false, ids);
    if (ids.empty()) return 0.0F;
    const auto missing = std::count(ids.begin(), ids.end(), *unknown);
    return 1.0F - static_cast<float>(missing) / static_cast<float>(ids.size());
}

/// One search, from a query whose mode is decided.
struct Search {
    const Query& query;
    SearchMode mode;
    FusionOptions fusion;
    std::span<const float> vector;  // of the query; empty in bm25 mode
    std::shared_ptr<Bm25Index> bm25;
    std::shared_ptr<VectorIndex> vectors;
    AllowedChunks allowed;

    /// The best `k` of what `filter` (may be null) lets through.
    std::vector<Fused> run(std::size_t k, const IdSet* filter) const {
        if (mode == SearchMode::kHybrid) return hybrid(k, filter);
        std::vector<Fused> found;
        if (mode == SearchMode::kVector) {
            for (const auto& hit : vectors->search(vector, k, 0, filter))
                found.push_back({hit.id, hit.score, hit.score, kNone, 0, 0});
        } else {
            for (const auto& hit : bm25->search(query.text, k, filter)) {
                const auto score = static_cast<float>(hit.score);
                found.push_back({hit.id, score, kNone, score, 0, 0});
            }
        }
        return found;
    }

  private:
    std::vector<Fused> hybrid(std::size_t k, const IdSet* filter) const {
        const std::size_t depth = fusion_candidates(k);
        const auto by_words = bm25->search(query.text, depth, filter);
        std::unordered_map<std::int64_t, float> word_scores;
        for (const auto& hit : by_words) word_scores.emplace(hit.id, static_cast<float>(hit.score));
        std::vector<FusionCandidate> candidates;
        std::vector<std::int64_t> near;
        for (const auto& hit : vectors->search(vector, depth, 0, filter)) {
            near.push_back(hit.id);
            candidates.push_back({hit.id, hit.score, 0.0F});
        }
        const auto scores = bm25->score(query.text, near);
        for (std::size_t i = 0; i < near.size(); ++i) {
            const auto scored = word_scores.extract(near[i]);
            candidates[i].bm25 = scored.empty() ? scores[i] : scored.mapped();
        }
        std::vector<float> stored(vectors->options().dimension);
        for (const auto& [id, score] : word_scores) {
            const bool embedded = vectors->get(id, stored);
            candidates.push_back({id, embedded ? static_cast<float>(cosine(vector, stored)) : kNone, score});
        }
        return fuse(candidates, k, fusion);
    }
};

std::string explain(const Fused& fused, const Search& search) {
    using Json = nlohmann::ordered_json;
    const bool hybrid = search.mode == SearchMode::kHybrid;
    Json json;
    json["mode"] = hybrid ? "hybrid" : (search.mode == SearchMode::kVector ? "vector" : "bm25");
    json["score"] = fused.score;
    if (hybrid) {
        const bool weighted = search.fusion.method == FusionMethod::kWeighted;
        json["fusion"]["method"] = weighted ? "weighted" : "reciprocal rank";
        if (weighted) json["fusion"]["vector_weight"] = search.fusion.vector_weight;
    }
    if (search.mode != SearchMode::kBm25) {
        json["vector"]["score"] = std::isnan(fused.vector) ? Json() : Json(fused.vector);
        if (hybrid) json["vector"]["part"] = fused.vector_part;
    }
    if (search.mode != SearchMode::kVector) {
        Json& part = json["bm25"];
        part["score"] = fused.bm25;
        if (hybrid) part["part"] = fused.bm25_part;
        part["terms"] = Json::array();
        if (search.bm25->contains(fused.id)) {
            const auto explanation = search.bm25->explain(search.query.text, fused.id);
            part["length"] = explanation.length;
            part["average_length"] = explanation.average_length;
            for (const auto& term : explanation.terms) {
                part["terms"].push_back({{"term", term.term},
                                         {"idf", term.idf},
                                         {"documents", term.documents},
                                         {"frequency", term.frequency},
                                         {"score", term.score}});
            }
        }
    }
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Hit make_hit(ChunkRow&& chunk, const Fused& fused) {
    Hit hit;
    hit.id = fmt::format("{}#{}", chunk.document_id, chunk.ordinal);
    hit.document_id = std::move(chunk.document_id);
    hit.text = std::move(chunk.text);
    hit.title = std::move(chunk.title);
    hit.metadata = std::move(chunk.metadata);
    hit.start = chunk.start;
    hit.end = chunk.stop;
    hit.score = fused.score;
    hit.vector_score = fused.vector;
    hit.bm25_score = fused.bm25;
    return hit;
}

/// Runs the search and fetches what it found; again without the keys that the database does not show, if there were such.
std::vector<Hit> collect(const Search& search, Store& store, const Indexes& indexes) {
    const IdSet* allowed = search.allowed.chunks.get();
    std::vector<std::int64_t> hidden;  // removed, or matching no more
    IdSet shown;                       // from the second attempt on: stored when we looked, allowed, and not removed
    for (int attempt = 1;; ++attempt) {
        // Before the last key is read: what is stored after that and replaces something shows in this number.
        const std::uint64_t removals = indexes.removals();
        if (attempt > 1) {
            shown = IdSet::difference(IdSet::range(0, store.read().last_chunk_key()), IdSet(hidden));
            if (allowed != nullptr) shown = IdSet::intersection(shown, *allowed);
        }
        const auto found = search.run(search.query.k, attempt > 1 ? &shown : allowed);
        std::vector<Hit> hits;
        hits.reserve(found.size());
        auto view = store.read();
        // Metadata may have changed since the filter was evaluated.
        std::optional<MetadataFilter> filter;
        if (allowed != nullptr && view.sequence() != search.allowed.sequence) filter.emplace(*search.query.where);
        for (const Fused& fused : found) {
            auto chunk = view.find_chunk(fused.id);
            if (!chunk) {
                // Removed for good; a key that is not given out yet may be stored by the time of the next attempt.
                if (fused.id <= view.last_chunk_key()) hidden.push_back(fused.id);
                continue;
            }
            if (filter && !filter->matches(chunk->metadata)) {
                hidden.push_back(fused.id);
                continue;
            }
            hits.push_back(make_hit(std::move(*chunk), fused));
            if (search.query.explain) hits.back().explain = explain(fused, search);
        }
        // A removal between the two scorers' turns may have cost a candidate half of its score.
        if ((hits.size() == found.size() && removals == indexes.removals()) || attempt == kAttempts) return hits;
    }
}

void check_query(const Query& query) {
    if (query.text.size() > kMaxQueryBytes)
        fail(Code::kInvalidArgument, "the query has {} bytes, at most {} are taken", query.text.size(), kMaxQueryBytes);
    require_utf8(query.text, "the query");
    if (query.text.empty() && query.vector.empty()) fail(Code::kInvalidArgument, "the query is empty");
    if (query.text.empty() && (query.mode == SearchMode::kBm25 || query.mode == SearchMode::kHybrid)) {
        fail(Code::kInvalidArgument, "a {} search needs a text, and the query has none",
             query.mode == SearchMode::kBm25 ? "bm25" : "hybrid");
    }
    if (query.mode > SearchMode::kBm25)
        fail(Code::kInvalidArgument, "the search mode is {}", static_cast<std::uint32_t>(query.mode));
}

/// `dimension` 0: nothing stored has a vector.
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

}  // namespace

std::vector<Hit> Engine::search(const Query& query) const {
    const Call call(*this);
    check_query(query);
    std::size_t dimension = 0;
    AllowedChunks allowed;
    {
        auto view = call->store->read();
        dimension = stored_dimension(view);
        if (query.where) {
            allowed = call->filters.allowed(*query.where, view);
            if (allowed.chunks && allowed.chunks->empty()) return {};
        }
        if (query.mode != SearchMode::kBm25) call->check_embedder(view);
        if (dimension == 0 && (query.mode == SearchMode::kHybrid || query.mode == SearchMode::kVector || query.text.empty())) {
            if (view.counts().documents == 0) return {};
            fail(Code::kInvalidState, "{} holds no vectors: its documents were added without an embedder",
                 quote(call->name, 400));
        }
    }
    const SearchMode mode = decide_mode(query, call->embeds(), dimension);
    Search search{query, mode, query.fusion, query.vector, nullptr, nullptr, std::move(allowed)};
    std::vector<float> embedded;
    if (mode != SearchMode::kBm25) {
        if (!query.vector.empty() && query.vector.size() != dimension) {
            fail(Code::kInvalidArgument, "the query's vector has dimension {}, those of {} have {}", query.vector.size(),
                 quote(call->name, 400), dimension);
        }
        if (query.vector.empty()) {
            embedded.resize(dimension);
            call->options.embedder->encode(std::array{query.text}, embedded, true, 0, {});
            search.vector = embedded;
            search.fusion.vector_weight *= known_share(*call->options.embedder, query.text);
        }
        search.vectors = call->indexes->vectors();
    }
    if (mode != SearchMode::kVector) search.bm25 = call->indexes->bm25();
    return collect(search, *call->store, *call->indexes);
}

}  // namespace rag::core
