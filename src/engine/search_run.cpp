#include "engine/search_run.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "index/bm25/term_hash.hpp"
#include "search/diversity.hpp"

namespace rag::core {
namespace {

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
constexpr std::size_t kComparisonsPerPoll = 256;

/// What three sums over two vectors tell, each of which waits for its last addition: so all in one loop.
struct Products {
    double product = 0, aa = 0, bb = 0;

    Products(std::span<const float> a, std::span<const float> b) {
        for (std::size_t i = 0; i < a.size(); ++i) {
            product += static_cast<double>(a[i]) * b[i];
            aa += static_cast<double>(a[i]) * a[i];
            bb += static_cast<double>(b[i]) * b[i];
        }
    }
    double cosine() const { return aa > 0 && bb > 0 ? product / std::sqrt(aa * bb) : 0.0; }
};

double squared_distance(std::span<const float> a, std::span<const float> b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double difference = static_cast<double>(a[i]) - b[i];
        sum += difference * difference;
    }
    return sum;
}

/// What the vector index gives for the same two vectors.
double score_of(Metric metric, std::span<const float> a, std::span<const float> b) {
    if (metric == Metric::kL2) return -squared_distance(a, b);
    const Products products(a, b);
    return metric == Metric::kInnerProduct ? products.product : products.cosine();
}

/// The vectors of a ranking, and how like two of them are: 1 for equal ones, 0 where one has none.
class Likeness {
  public:
    Likeness(const VectorIndex& vectors, Metric metric, const std::vector<Ranked>& ranking)
        : dimension_(vectors.options().dimension),
          distances_(metric == Metric::kL2),
          rows_(ranking.size() * dimension_, 0.0F),
          known_(ranking.size()) {
        for (std::size_t i = 0; i < ranking.size(); ++i)
            known_[i] = vectors.get(ranking[i].id, std::span(rows_).subspan(i * dimension_, dimension_));
        if (distances_) centre();
    }
    float operator()(std::size_t a, std::size_t b) const {
        if (!known_[a] || !known_[b]) return 0.0F;
        const Products products(row(a), row(b));
        if (!distances_) return static_cast<float>(products.cosine());
        // As cosine, but less for two of one direction and different lengths: 1 - |a - b|^2 / (|a|^2 + |b|^2).
        const double squares = products.aa + products.bb;
        return squares > 0 ? static_cast<float>(2.0 * products.product / squares) : 1.0F;
    }

  private:
    std::span<const float> row(std::size_t i) const { return std::span(rows_).subspan(i * dimension_, dimension_); }
    /// Where distances count no point is the origin: directions tell something only as seen from the middle of what is compared.
    void centre() {
        std::vector<double> mean(dimension_, 0.0);
        double count = 0;
        for (std::size_t i = 0; i < known_.size(); ++i) {
            if (!known_[i]) continue;
            ++count;
            for (std::size_t d = 0; d < dimension_; ++d) mean[d] += static_cast<double>(rows_[i * dimension_ + d]);
        }
        for (std::size_t i = 0; i < rows_.size(); ++i)
            rows_[i] = static_cast<float>(static_cast<double>(rows_[i]) - mean[i % dimension_] / std::max(count, 1.0));
    }

    std::size_t dimension_;
    bool distances_;
    std::vector<float> rows_;  // [ranking, dimension]
    std::vector<bool> known_;
};

/// Hashes of the distinct terms of a chunk, sorted, for comparing chunks without vectors.
std::vector<std::uint64_t> terms_of(const Analyzer& analyzer, std::string_view text, const Progress& progress) {
    class Collect final : public TermSink {
      public:
        Collect(std::vector<std::uint64_t>& terms, const Progress& progress) : terms_(terms), progress_(progress) {}
        void term(std::string_view term, const TermPlace&) override {
            constexpr std::size_t kTermsPerPoll = std::size_t{1} << 16;
            terms_.push_back(hash_term(term));
            if (terms_.size() % kTermsPerPoll == 0) report(progress_, 0, 0);
        }

      private:
        std::vector<std::uint64_t>& terms_;
        const Progress& progress_;
    };
    std::vector<std::uint64_t> out;
    Collect collect(out, progress);
    analyzer.analyze(text, collect);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

/// Jaccard's coefficient.
float shared_terms(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
    std::size_t common = 0;
    for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end();) {
        const bool in_a = *left <= *right;
        const bool in_b = *left >= *right;
        common += in_a && in_b ? 1U : 0U;
        if (in_a) ++left;
        if (in_b) ++right;
    }
    const std::size_t all = a.size() + b.size() - common;
    return all == 0 ? 0.0F : static_cast<float>(common) / static_cast<float>(all);
}

}  // namespace

float SearchRun::vector_score(std::int64_t id, std::vector<float>& stored) const {
    stored.resize(vectors->options().dimension);
    return vectors->get(id, stored) ? static_cast<float>(score_of(metric, vector, stored)) : kNone;
}

SearchRun::Candidates SearchRun::candidates(std::size_t depth, const IdSet* filter) const {
    Candidates out;
    std::unordered_map<std::int64_t, float> by_words;
    std::vector<std::int64_t> near;
    if (bm25) {
        const auto hits = bm25->search(query.text, depth, filter, query.syntax, asked());
        out.more = hits.size() == depth;
        for (const auto& hit : hits) {
            by_words.emplace(hit.id, hit.score);
            if (!vectors) out.list.push_back({hit.id, kNone, hit.score});
        }
    }
    if (!vectors) return out;
    const auto hits = vectors->search(vector, depth, 0, filter);
    out.more = out.more || hits.size() == depth;
    for (const auto& hit : hits) {
        near.push_back(hit.id);
        out.list.push_back({hit.id, hit.score, bm25 ? 0.0F : kNone});
    }
    if (!bm25) return out;
    const auto scores = bm25->score(query.text, near, query.syntax, asked());
    for (std::size_t i = 0; i < near.size(); ++i) {
        const auto scored = by_words.extract(near[i]);
        out.list[i].bm25 = scored.empty() ? scores[i] : scored.mapped();
    }
    std::vector<float> stored;
    for (const auto& [id, score] : by_words) out.list.push_back({id, vector_score(id, stored), score});
    // Vectors that have no say, as where the embedder knows no word of the query, bring nothing in; nor what operators exclude.
    const bool no_say = fusion.method == FusionMethod::kWeighted && fusion.vector_weight == 0.0F;
    if (no_say || query.syntax == Bm25Syntax::kLanguage)
        std::erase_if(out.list, [](const FusionCandidate& candidate) { return !(candidate.bm25 > 0.0F); });
    return out;
}

std::vector<FusionCandidate> SearchRun::score(std::span<const std::int64_t> ids) const {
    std::vector<FusionCandidate> out;
    const auto by_words = bm25 ? bm25->score(query.text, ids, query.syntax, asked()) : std::vector<float>(ids.size(), kNone);
    std::vector<float> stored;
    for (std::size_t i = 0; i < ids.size(); ++i)
        out.push_back({ids[i], vectors ? vector_score(ids[i], stored) : kNone, by_words[i]});
    return out;
}

std::vector<Ranked> SearchRun::rank(const std::vector<FusionCandidate>& candidates) const {
    if (mode == SearchMode::kHybrid) return fuse(candidates, candidates.size(), fusion);
    std::vector<Ranked> ranking;
    ranking.reserve(candidates.size());
    for (const auto& candidate : candidates) {
        Ranked ranked;
        ranked.id = candidate.id;
        ranked.vector = candidate.vector;
        ranked.bm25 = candidate.bm25;
        if (mode == SearchMode::kVector) {
            // What a walk over links brings may have no vector: it is as far away as can be.
            ranked.vector_part = std::isnan(candidate.vector) ? std::numeric_limits<float>::lowest() : candidate.vector;
        } else {
            ranked.bm25_part = candidate.bm25;
        }
        ranked.add_up();
        ranking.push_back(ranked);
    }
    std::sort(ranking.begin(), ranking.end(), [](const Ranked& a, const Ranked& b) { return better(a, b); });
    return ranking;
}

void SearchRun::normalise(std::vector<Ranked>& ranking) const {
    if (ranking.empty()) return;
    if (reranker != nullptr) {
        const float most = ranking.front().reranker_part;
        const float least = ranking.back().reranker_part;
        for (Ranked& ranked : ranking) {
            ranked.reranker_part = most > least ? (ranked.reranker_part - least) / (most - least) : 1.0F;
            ranked.add_up();
        }
        return;
    }
    if (mode != SearchMode::kVector) {
        const float best = ranking.front().score;
        if (best > 0) {
            for (Ranked& ranked : ranking) ranked.scale(1.0F / best);
        }
        return;
    }
    float least = std::numeric_limits<float>::infinity();
    float most = -least;
    for (const Ranked& ranked : ranking) {
        if (std::isnan(ranked.vector)) continue;
        least = std::min(least, ranked.vector);
        most = std::max(most, ranked.vector);
    }
    for (Ranked& ranked : ranking) {
        const bool known = !std::isnan(ranked.vector);
        ranked.vector_part = known ? (most > least ? (ranked.vector - least) / (most - least) : 1.0F) : 0.0F;
        ranked.add_up();
    }
}

std::vector<Ranked> SearchRun::diversify(const std::vector<Ranked>& ranking, std::size_t count, Store& store) const {
    if (vectors) {
        const Likeness likeness(*vectors, metric, ranking);
        std::size_t compared = 0;
        return core::diversify(ranking, count, query.diversity, [&](std::size_t a, std::size_t b) {
            if (++compared % kComparisonsPerPoll == 0) look();
            return likeness(a, b);
        });
    }
    std::vector<std::vector<std::uint64_t>> terms(ranking.size());
    for (std::size_t i = 0; i < ranking.size(); ++i) {
        const auto chunk = store.read().find_chunk(ranking[i].id);
        look();
        if (chunk) terms[i] = terms_of(bm25->analyzer(), chunk->text, asked());
    }
    std::size_t compared = 0;
    return core::diversify(ranking, count, query.diversity, [&](std::size_t a, std::size_t b) {
        if (++compared % kComparisonsPerPoll == 0) look();
        return shared_terms(terms[a], terms[b]);
    });
}

std::string SearchRun::explain(const Ranked& ranked) const {
    using Json = nlohmann::ordered_json;
    const auto number = [](float value) { return std::isnan(value) ? Json() : Json(value); };
    const bool hybrid = mode == SearchMode::kHybrid;
    Json json;
    json["mode"] = hybrid ? "hybrid" : (mode == SearchMode::kVector ? "vector" : "bm25");
    json["score"] = ranked.score;
    if (hybrid) {
        const bool weighted = fusion.method == FusionMethod::kWeighted;
        json["fusion"]["method"] = weighted ? "weighted" : "reciprocal rank";
        if (weighted) json["fusion"]["vector_weight"] = fusion.vector_weight;
    }
    if (vectors) json["vector"] = {{"score", number(ranked.vector)}, {"part", ranked.vector_part}};
    if (bm25) {
        Json& part = json["bm25"];
        part = {{"score", number(ranked.bm25)}, {"part", ranked.bm25_part}, {"terms", Json::array()}};
        if (bm25->contains(ranked.id)) {
            const auto explanation = bm25->explain(query.text, ranked.id, query.syntax, asked());
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
    if (query.link_weight > 0) json["links"] = {{"part", ranked.links_part}};
    if (reranker != nullptr) json["reranker"] = {{"score", number(ranked.reranker)}, {"part", ranked.reranker_part}};
    if (query.diversity > 0) json["diversity"] = {{"part", ranked.diversity_part}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace rag::core
