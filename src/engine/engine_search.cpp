// Searching: what a query may ask, which scorers take part, the stages in their order, and the chunks behind the keys.
//
// The indexes may hold chunks that the database does not show (a write is under way) or not any more. Such candidates are
// dropped, and the search is made again without them, so that k hits come wherever k chunks match.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>

#include "core/error.hpp"
#include "core/polled.hpp"
#include "core/thread_pool.hpp"
#include "core/utf8.hpp"
#include "engine/engine_state.hpp"
#include "engine/link_walk.hpp"
#include "engine/metric_setting.hpp"
#include "engine/query_check.hpp"
#include "engine/rerank.hpp"
#include "engine/search_run.hpp"
#include "index/bm25/query_parser.hpp"
#include "search/grouping.hpp"
#include "search/metadata_filter.hpp"

namespace rag::core {
namespace {

// More than one only while somebody writes; who needed so many holds the writer up for the next.
constexpr int kFreeAttempts = 8;
constexpr int kHeldAttempts = 8;  // more than its last commit can cost
// Chunks that are fetched between two looks at the caller, for which the view is given back.
constexpr std::size_t kChunksAView = 512;
constexpr std::size_t kBytesAView = std::size_t{8} << 20;
// Texts of so much are tokenized by a helper thread, beside which the caller is asked.
constexpr std::size_t kLongText = std::size_t{1} << 16;

/// The documents of the ranked chunks; those that the database does not show leave the ranking for `missing`.
std::vector<std::int64_t> keep_stored(std::vector<Ranked>& ranking, const SearchRun& run, Store& store,
                                      std::vector<std::int64_t>& missing) {
    std::vector<std::int64_t> documents;
    std::vector<Ranked> kept;
    for (std::size_t at = 0; at < ranking.size(); at += kChunksAView) {
        run.look();
        auto view = store.read();
        for (std::size_t i = at; i < std::min(ranking.size(), at + kChunksAView); ++i) {
            const auto end = view.find_end(ranking[i].id);
            if (!end) {
                missing.push_back(ranking[i].id);
                continue;
            }
            documents.push_back(end->document);
            kept.push_back(ranking[i]);
        }
    }
    ranking = std::move(kept);
    return documents;
}

/// The hits of the page before they are fetched. `missing` gets keys that the database does not show.
std::vector<Ranked> rank_page(const SearchRun& run, const IdSet* filter, Store& store, std::vector<std::int64_t>& missing) {
    const Query& query = run.query;
    for (std::size_t depth = depth_of(query, run.mode);; depth *= 10) {
        run.look();
        auto candidates = run.candidates(depth, filter);
        auto ranking = query.link_weight > 0 ? follow_links(run, candidates, filter, store) : run.rank(candidates.list);
        if (run.reranker != nullptr) {
            ranking = rerank(run, std::move(ranking), std::max(query.rerank, query.offset + query.k), store, missing);
        }
        if (query.diversity > 0) {
            if (query.link_weight == 0 || run.reranker != nullptr) run.normalise(ranking);
            ranking = run.diversify(ranking, query.group_hits != 0 ? ranking.size() : query.offset + query.k, store);
        }
        std::erase_if(ranking, [&](const Ranked& ranked) { return ranked.score < query.min_score; });
        if (query.group_hits == 0) {
            const auto begin = ranking.begin() + static_cast<std::ptrdiff_t>(std::min(query.offset, ranking.size()));
            ranking.erase(ranking.begin(), begin);
            if (ranking.size() > query.k) ranking.resize(query.k);
            return ranking;
        }
        const auto documents = keep_stored(ranking, run, store, missing);
        std::size_t groups = 0;
        auto page = group_by_document(ranking, documents, query.offset, query.k, query.group_hits, groups);
        // Many chunks of few documents: look deeper, where that can help.
        const std::size_t deepest = query.diversity > 0 ? kMaxDiverse : kMaxResults;
        if (groups >= query.offset + query.k || !candidates.more || depth * 10 > deepest || run.reranker != nullptr) return page;
    }
}

void add_context(Hit& hit, const ChunkRow& chunk, const Query& query, StoreView& view) {
    if (query.expand == Expand::kNone) return;
    std::size_t start = chunk.parent_start;
    std::size_t stop = chunk.parent_stop;
    if (query.expand == Expand::kNeighbours) {
        const auto around = static_cast<std::int64_t>(query.neighbours);
        const auto span = view.span_of_chunks(chunk.document, chunk.ordinal - around, chunk.ordinal + around);
        start = span ? span->first : chunk.start;
        stop = span ? span->second : chunk.stop;
    }
    hit.context = view.text_between(chunk.document, start, stop);
    hit.context_start = start;
    hit.context_end = stop;
}

Hit make_hit(ChunkRow&& chunk, const Ranked& ranked, const Query& query, StoreView& view) {
    Hit hit;
    add_context(hit, chunk, query, view);
    hit.id = fmt::format("{}#{}", chunk.document_id, chunk.ordinal);
    hit.document_id = std::move(chunk.document_id);
    hit.text = std::move(chunk.text);
    hit.title = std::move(chunk.title);
    hit.title_path = std::move(chunk.title_path);
    hit.metadata = std::move(chunk.metadata);
    hit.start = chunk.start;
    hit.end = chunk.stop;
    hit.score = ranked.score;
    hit.vector_score = ranked.vector;
    hit.bm25_score = ranked.bm25;
    return hit;
}

/// The chunks of a page from the database. What it does not show goes to `missing`, what does not match any more to `hidden`.
struct Fetched {
    std::vector<Hit> hits;
    std::vector<Ranked> ranked;  // of each hit
    std::int64_t last_key = 0;   // of the chunks that the database showed
    bool exchanged = false;      // other vectors took the place of those that the search began with
};
Fetched fetch(const std::vector<Ranked>& found, const SearchRun& run, const AllowedChunks& allowed, Store& store,
              std::vector<std::int64_t>& missing, std::vector<std::int64_t>& hidden) {
    Fetched out;
    out.hits.reserve(found.size());
    std::size_t at = 0;
    do {
        run.look();
        auto view = store.read();
        out.exchanged = view.meta_number(kVectorsFromMeta).value_or(0) != run.vectors_from;
        if (out.exchanged) return out;
        // Metadata may have changed since the filter was evaluated.
        std::optional<MetadataFilter> filter;
        if (allowed.chunks && view.sequence() != allowed.sequence) filter.emplace(*run.query.where);
        std::size_t bytes = 0;
        for (const std::size_t end = std::min(found.size(), at + kChunksAView); at < end && bytes < kBytesAView; ++at) {
            auto chunk = view.find_chunk(found[at].id);
            if (!chunk) {
                missing.push_back(found[at].id);
                continue;
            }
            if (filter && !filter->matches(chunk->metadata)) {
                hidden.push_back(found[at].id);
                continue;
            }
            out.hits.push_back(make_hit(std::move(*chunk), found[at], run.query, view));
            out.ranked.push_back(found[at]);
            bytes += out.hits.back().text.size() + out.hits.back().context.size();
        }
        out.last_key = view.last_chunk_key();
    } while (at < found.size());
    return out;
}

/// What costs the more the longer texts and queries are, once hits are known to be whole.
void annotate(const SearchRun& run, const std::optional<Bm25Marker>& marker, Fetched& fetched) {
    for (std::size_t i = 0; i < fetched.hits.size(); ++i) {
        run.look();
        Hit& hit = fetched.hits[i];
        if (run.query.explain) hit.explain = run.explain(fetched.ranked[i]);
        if (!marker) continue;
        for (const Range& range : marker->mark(hit.text, run.asked())) {
            hit.highlights.push_back(range.start);
            hit.highlights.push_back(range.end);
        }
    }
}

/// Runs the search and fetches what it found; again without the keys that the database does not show, if there were such. Nothing
/// if other vectors took the place of those that the search began with.
std::optional<std::vector<Hit>> collect(SearchRun& run, Store& store, const Indexes& indexes, FilterCache& filters,
                                        const std::optional<Bm25Marker>& marker) {
    AllowedChunks allowed = run.allowed;
    // From before the filter and the last key were read: what is stored after that and replaces something shows in this number.
    std::uint64_t removals = run.removals;
    std::vector<std::int64_t> hidden;  // removed, or matching no more
    IdSet shown;                       // from the second attempt on: stored when we looked, allowed, and not removed
    std::unique_lock<std::mutex> held;
    const Progress* const progress = run.progress;
    for (int attempt = 1;; ++attempt) {
        // The writer may end one commit meanwhile and waits with the next, so a few attempts more see all of it. Nobody is asked
        // meanwhile: who would write then would wait for itself.
        if (attempt > kFreeAttempts && !held) {
            held = indexes.hold();
            run.progress = nullptr;
        }
        if (attempt > 1) {
            removals = indexes.removals();
            auto view = store.read();
            shown = IdSet::difference(IdSet::range(0, view.last_chunk_key()), IdSet(hidden));
            // Made anew, because chunks that replaced others are not in the one before.
            if (run.query.where) allowed = filters.allowed(*run.query.where, view);
            if (allowed.chunks) shown = IdSet::intersection(shown, *allowed.chunks);
        }
        std::vector<std::int64_t> missing;
        // No view is held meanwhile: in memory, searches would wait for one another.
        const auto found = rank_page(run, attempt > 1 ? &shown : allowed.chunks.get(), store, missing);
        Fetched fetched = fetch(found, run, allowed, store, missing, hidden);
        if (fetched.exchanged) return std::nullopt;
        // Removed for good; a key that is not given out yet may be stored by the time of the next attempt.
        const auto leaving = missing.empty() ? nullptr : indexes.leaving();
        bool left = false;
        for (const std::int64_t key : missing) {
            if (key <= fetched.last_key) hidden.push_back(key);
            left = left || (leaving && leaving->contains(key));
        }
        if (left) {
            const auto gone = leaving->ids();
            hidden.insert(hidden.end(), gone.begin(), gone.end());
        }
        // A removal between the two scorers' turns may have cost a candidate half of its score.
        const bool whole = fetched.hits.size() == found.size() && missing.empty() && removals == indexes.removals();
        if (!whole && attempt < kFreeAttempts + kHeldAttempts) continue;
        if (held) held.unlock();
        run.progress = progress;
        annotate(run, marker, fetched);
        return std::move(fetched.hits);
    }
}

/// A failure that names which query of a batch it is about.
[[noreturn]] void fail_query(std::size_t number, const Error& error) {
    fail(error.code(), "query {}: {}", number, error.what());
}

}  // namespace

/// A query that was checked, with what the database says of it; nothing if there is nothing to be found. Its vector may be
/// missing.
std::optional<SearchRun> Engine::begin_search(State& state, const Query& query) {
    const std::uint64_t removals = state.indexes->removals();
    auto [view, embedder] = state.settled_view();
    const std::size_t dimension = stored_dimension(view);
    const Metric metric = query.mode == SearchMode::kBm25 ? Metric::kCosine : stored_metric(view);
    AllowedChunks allowed;
    if (query.where) {
        allowed = state.filters.allowed(*query.where, view);
        if (allowed.chunks && allowed.chunks->empty()) return std::nullopt;
    }
    std::shared_ptr<const Encoder::Moment> moment;
    if (query.mode != SearchMode::kBm25 && embedder->encoder != nullptr) {
        moment = std::make_shared<const Encoder::Moment>(embedder->encoder->now());
        state.check_embedder(view, embedder->encoder.get(), moment->fingerprint());
    }
    if (dimension == 0 && (query.mode == SearchMode::kHybrid || query.mode == SearchMode::kVector || query.text.empty())) {
        if (view.count_documents() == 0) return std::nullopt;
        fail(Code::kInvalidState, "{} holds no vectors: its documents were added without an embedder", quote(state.name, 400));
    }
    if (query.syntax == Bm25Syntax::kLanguage && (query.mode == SearchMode::kVector || query.text.empty()))
        fail(Code::kInvalidArgument, "operators are for the words of a bm25 or hybrid search, this one is by vector");
    std::shared_ptr<const Classifier> reranker;
    if (query.rerank > 0) reranker = state.options_now().reranker;
    if (query.rerank > 0 && !reranker) fail(Code::kInvalidState, "reranking needs a reranker: open the engine with one");
    const SearchMode mode = decide_mode(query, embedder->encoder != nullptr, dimension);
    if (mode != SearchMode::kBm25 && !query.vector.empty() && query.vector.size() != dimension) {
        fail(Code::kInvalidArgument, "the query's vector has dimension {}, those of {} have {}", query.vector.size(),
             quote(state.name, 400), dimension);
    }
    SearchRun run{query,
                  mode,
                  query.fusion,
                  query.vector,
                  nullptr,
                  nullptr,
                  std::move(allowed),
                  metric,
                  removals,
                  std::move(reranker),
                  std::move(embedder),
                  view.meta_number(kVectorsFromMeta).value_or(0),
                  std::move(moment)};
    if (query.syntax == Bm25Syntax::kLanguage) run.words = asked_words(parse_query(query.text));
    return run;
}

/// Embeds what has no vector yet, all texts together, into `embedded`. Runs that began with another embedder than the first one
/// are left without, and searched again.
void Engine::embed_queries(std::span<std::optional<SearchRun>> runs, std::vector<float>& embedded, const Progress& progress) {
    std::vector<std::string_view> texts;
    std::vector<SearchRun*> waiting;
    for (auto& run : runs) {
        if (!run || run->mode == SearchMode::kBm25 || !run->vector.empty()) continue;
        if (!waiting.empty() && waiting.front()->embedder != run->embedder) continue;
        texts.push_back(run->model_text());
        waiting.push_back(&*run);
    }
    if (texts.empty()) return;
    EmbedderInUse& in_use = *waiting.front()->embedder;
    const Encoder& embedder = *in_use.encoder;
    std::call_once(in_use.known_words_once, [&] { in_use.known_words.emplace(embedder.tokenizer()); });
    const auto dimension = static_cast<std::size_t>(embedder.dimension());
    embedded.resize(texts.size() * dimension);
    // As documents were, see Preparation::embed.
    const bool unit = waiting.front()->metric == Metric::kCosine;
    // A run without a moment is by BM25, one that waits here has one.
    embedder.encode_as(*waiting.front()->moment, texts, embedded, unit, 0, progress, {EncoderPrompt::Kind::kQuery, {}});
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        waiting[i]->vector = std::span(embedded).subspan(i * dimension, dimension);
        waiting[i]->fusion.vector_weight *= in_use.known_words->share(texts[i]);
    }
}

/// Nothing: the vectors were exchanged for others since the search began.
std::optional<std::vector<Hit>> Engine::finish_search(State& state, SearchRun& run) {
    const Courtesy::Guest guest(state.indexes->courtesy());
    const auto exchanged = [&] { return state.store->read().meta_number(kVectorsFromMeta).value_or(0) != run.vectors_from; };
    try {
        if (run.mode != SearchMode::kBm25) {
            run.vectors = state.indexes->vectors();
            // Empty: left without by embed_queries().
            const bool fits = !run.vectors || run.vectors->options().dimension == run.vector.size();
            if (run.vector.empty() || (!fits && exchanged())) return std::nullopt;
        }
        if (run.mode != SearchMode::kVector) run.bm25 = state.indexes->bm25();
        std::optional<Bm25Marker> marker;
        if (run.query.highlight && !run.query.text.empty())
            marker = state.indexes->bm25()->marker(run.query.text, run.query.syntax, run.asked());
        return collect(run, *state.store, *state.indexes, state.filters, marker);
    } catch (const Stopped&) {
        throw;
    } catch (const Error&) {
        // What two states gave together may be anything.
        if (!exchanged()) throw;
        return std::nullopt;
    }
}

std::vector<Hit> Engine::search_now(State& state, const Query& query, const Progress& progress, bool on_helper) {
    while (true) {
        auto run = begin_search(state, query);
        if (!run) return {};
        if (progress) run->progress = &progress;
        std::vector<float> embedded;
        // What models report comes from threads of their own.
        embed_queries(std::span(&run, 1), embedded, on_helper ? progress : Progress());
        if (auto hits = finish_search(state, *run)) return std::move(*hits);
    }
}

std::vector<Hit> Engine::search(const Query& query, const Progress& progress) const {
    const Call call(*this);
    check_query(query);
    // Elsewhere no thread is worth its while.
    if (!progress || (query.rerank == 0 && query.text.size() <= kLongText)) return search_now(*call, query, progress, false);
    std::vector<Hit> hits;
    run_polled(progress, [&](const Progress& inner) { hits = search_now(*call, query, inner, true); });
    return hits;
}

std::vector<std::vector<Hit>> Engine::search(std::span<const Query> queries, const SearchBatchOptions& options) const {
    const Call call(*this);
    std::vector<std::optional<SearchRun>> runs;
    runs.reserve(queries.size());
    for (std::size_t i = 0; i < queries.size(); ++i) {
        try {
            check_query(queries[i]);
            runs.push_back(begin_search(*call, queries[i]));
        } catch (const Error& error) {
            fail_query(i, error);
        }
    }
    std::vector<std::vector<Hit>> hits(queries.size());
    run_polled(options.progress, [&](const Progress& progress) {
        std::vector<float> embedded;
        const Progress stop_only = [&](std::uint64_t, std::uint64_t) { return !progress || progress(0, queries.size()); };
        embed_queries(runs, embedded, stop_only);
        std::atomic<std::size_t> done{0};
        const Progress so_far = [&](std::uint64_t, std::uint64_t) { return !progress || progress(done, queries.size()); };
        const std::size_t threads = options.threads == 0 ? available_cpus() : options.threads;
        ThreadPool pool(std::max<std::size_t>(1, std::min(threads, queries.size())));
        pool.run(queries.size(), [&](std::size_t i) {
            try {
                if (runs[i]) {
                    runs[i]->progress = &so_far;
                    auto found = finish_search(*call, *runs[i]);
                    hits[i] = found ? std::move(*found) : search_now(*call, queries[i], so_far, true);
                }
            } catch (const Stopped&) {
                throw;
            } catch (const Error& error) {
                fail_query(i, error);
            }
            report(progress, ++done, queries.size());
        });
    });
    return hits;
}

}  // namespace rag::core
