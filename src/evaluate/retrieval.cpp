#include "evaluate/retrieval.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_map>

#include "core/error.hpp"
#include "evaluate/metric.hpp"

namespace rag::core {
namespace {

struct Query {
    std::unordered_map<std::string_view, std::int32_t> relevance;
    std::vector<std::int32_t> ideal;  // positive judgments, best first
    std::vector<RankedDocument> ranked;
    std::vector<std::int32_t> gains;  // of the ranks; 0 where not relevant
};

double discounted(std::span<const std::int32_t> gains) {
    double sum = 0;
    for (std::size_t rank = 0; rank < gains.size(); ++rank)
        if (gains[rank] > 0) sum += gains[rank] / std::log2(static_cast<double>(rank) + 2);
    return sum;
}

/// Of the first `gains.size()` ranks; `relevant` is not 0.
double average_precision(std::span<const std::int32_t> gains, double relevant) {
    double sum = 0, found = 0;
    for (std::size_t rank = 0; rank < gains.size(); ++rank) {
        if (gains[rank] <= 0) continue;
        found += 1;
        sum += found / (static_cast<double>(rank) + 1);
    }
    return sum / relevant;
}

double measure(const Query& query, const RetrievalMetric& metric) {
    const auto cut = [&](const std::vector<std::int32_t>& list) {
        return std::span(list).first(metric.depth == 0 ? list.size() : std::min(metric.depth, list.size()));
    };
    if (query.ideal.empty()) return 0;
    const auto gains = cut(query.gains);
    const auto relevant = static_cast<double>(query.ideal.size());
    const auto found = static_cast<double>(std::ranges::count_if(gains, [](std::int32_t gain) { return gain > 0; }));
    switch (metric.measure) {
        case RetrievalMeasure::kNdcg:
            return discounted(gains) / discounted(cut(query.ideal));
        case RetrievalMeasure::kRecall:
            return found / relevant;
        case RetrievalMeasure::kPrecision:
            return found / static_cast<double>(metric.depth);
        case RetrievalMeasure::kMap:
            return average_precision(gains, relevant);
        case RetrievalMeasure::kMrr: {
            const auto first = std::ranges::find_if(gains, [](std::int32_t gain) { return gain > 0; });
            return first == gains.end() ? 0 : 1.0 / (static_cast<double>(first - gains.begin()) + 1);
        }
        case RetrievalMeasure::kHit:
            return found > 0 ? 1 : 0;
    }
    fail(Code::kInternal, "there is no measure {}", static_cast<int>(metric.measure));
}

/// Sorts the run of a query and looks its documents up.
void rank(Query& query) {
    std::ranges::sort(query.ranked, [](const RankedDocument& a, const RankedDocument& b) {
        return a.score != b.score ? a.score > b.score : a.document > b.document;
    });
    std::unordered_map<std::string_view, bool> seen;
    query.gains.reserve(query.ranked.size());
    for (const RankedDocument& row : query.ranked) {
        if (!seen.emplace(row.document, true).second)
            fail(Code::kInvalidArgument, "the run has document {} twice for query {}", quote(row.document), quote(row.query));
        const auto judged = query.relevance.find(row.document);
        query.gains.push_back(judged == query.relevance.end() ? 0 : std::max(judged->second, 0));
    }
    for (const auto& [document, relevance] : query.relevance)
        if (relevance > 0) query.ideal.push_back(relevance);
    std::ranges::sort(query.ideal, std::greater<>());
}

}  // namespace

RetrievalReport evaluate_retrieval(std::span<const RankedDocument> run, std::span<const Judgment> judgments,
                                   std::span<const std::string_view> metrics) {
    if (metrics.empty()) fail(Code::kInvalidArgument, "no metric is named, such as ndcg@10");
    std::vector<RetrievalMetric> parsed;
    for (const std::string_view name : metrics) parsed.push_back(parse_metric(name));
    if (judgments.empty()) fail(Code::kInvalidArgument, "there are no judgments to compare the run with");

    RetrievalReport report;
    std::unordered_map<std::string_view, std::size_t> places;
    std::vector<Query> queries;
    for (const Judgment& row : judgments) {
        const auto [place, added] = places.emplace(row.query, queries.size());
        if (added) {
            queries.emplace_back();
            report.queries.emplace_back(row.query);
        }
        if (!queries[place->second].relevance.emplace(row.document, row.relevance).second)
            fail(Code::kInvalidArgument, "document {} is judged twice for query {}", quote(row.document), quote(row.query));
    }
    for (const RankedDocument& row : run) {
        if (std::isnan(row.score))
            fail(Code::kInvalidArgument, "the run's score of document {} for query {} is not a number", quote(row.document),
                 quote(row.query));
        const auto place = places.find(row.query);
        if (place != places.end()) queries[place->second].ranked.push_back(row);
    }
    for (Query& query : queries) rank(query);
    for (const RetrievalMetric& metric : parsed) {
        std::vector<double>& row = report.values.emplace_back();
        double sum = 0;
        for (const Query& query : queries) sum += row.emplace_back(measure(query, metric));
        report.means.push_back(sum / static_cast<double>(queries.size()));
    }
    return report;
}

}  // namespace rag::core
