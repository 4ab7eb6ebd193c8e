// Retrieval metrics on rankings small enough to be worked out by hand, and what is refused. tests/python/test_evaluate.py
// compares random ones with trec_eval.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "evaluate/metric.hpp"
#include "evaluate/retrieval.hpp"

using namespace rag::core;
using Catch::Matchers::Contains;

namespace {

const std::vector<Judgment> kJudgments = {{"q1", "a", 2},  {"q1", "b", 1}, {"q1", "c", 0},
                                          {"q1", "e", -1}, {"q2", "x", 1}, {"q3", "y", 0}};

RetrievalReport evaluate(const std::vector<RankedDocument>& run, const std::vector<std::string_view>& metrics) {
    return evaluate_retrieval(run, kJudgments, metrics);
}

}  // namespace

TEST_CASE("metrics of a ranking worked out by hand") {
    // q1: c, b, a (scores fall); q2: nothing was found; q3 has no relevant document; q9 is not judged.
    const std::vector<RankedDocument> run = {{"q1", "a", 1}, {"q1", "b", 2}, {"q1", "c", 3}, {"q3", "y", 1}, {"q9", "a", 1}};
    const auto report =
        evaluate(run, {"ndcg@3", "recall@2", "precision@2", "map", "mrr", "hit@1", "ndcg", "mrr@1", "precision@10"});
    REQUIRE(report.queries == std::vector<std::string>{"q1", "q2", "q3"});
    const double ideal = 2 / std::log2(2) + 1 / std::log2(3);
    const double found = 1 / std::log2(3) + 2 / std::log2(4);
    const std::vector<double> q1 = {found / ideal, 0.5, 0.5, (1.0 / 2 + 2.0 / 3) / 2, 0.5, 0, found / ideal, 0, 0.2};
    for (std::size_t metric = 0; metric < q1.size(); ++metric) {
        INFO("metric " << metric);
        CHECK(report.values[metric][0] == Approx(q1[metric]));
        CHECK(report.values[metric][1] == 0);
        CHECK(report.values[metric][2] == 0);
        CHECK(report.means[metric] == Approx(q1[metric] / 3));
    }
}

TEST_CASE("equal scores come in order of falling id, however the run is written") {
    const auto first = evaluate({{"q1", "a", 1}, {"q1", "c", 1}, {"q1", "b", 1}}, {"mrr"});
    const auto second = evaluate({{"q1", "b", 1}, {"q1", "a", 1}, {"q1", "c", 1}}, {"mrr"});
    CHECK(first.values[0][0] == 0.5);  // c, b, a
    CHECK(second.values[0][0] == 0.5);
}

TEST_CASE("what retrieval evaluation refuses, it names") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH(evaluate({}, {}), Contains("no metric is named"));
    CHECK_THROWS_WITH(evaluate({}, {"ndgc@10"}), Contains("\"ndgc@10\"") && Contains("such as ndcg@10"));
    CHECK_THROWS_WITH(evaluate({}, {"ndcg@"}), Contains("ndcg@") && Contains("whole number"));
    CHECK_THROWS_WITH(evaluate({}, {"ndcg@0"}), Contains("\"0\""));
    CHECK_THROWS_WITH(evaluate({}, {"ndcg@-1"}), Contains("\"-1\""));
    CHECK_THROWS_WITH(evaluate({}, {"ndcg@99999999999999999999999"}), Contains("whole number"));
    CHECK_THROWS_WITH(evaluate({}, {"precision"}), Contains("needs a depth"));
    CHECK_THROWS_WITH(evaluate({{"q1", "a", nan}}, {"map"}), Contains("\"a\"") && Contains("\"q1\"") && Contains("not a number"));
    CHECK_THROWS_WITH(evaluate({{"q1", "a", 1}, {"q1", "a", 2}}, {"map"}), Contains("\"a\" twice for query \"q1\""));
    const std::vector<Judgment> twice = {{"q1", "a", 1}, {"q1", "a", 0}};
    const std::vector<std::string_view> metrics = {"map"};
    CHECK_THROWS_WITH(evaluate_retrieval({}, twice, metrics), Contains("judged twice"));
    CHECK_THROWS_WITH(evaluate_retrieval({}, {}, metrics), Contains("no judgments"));
}
