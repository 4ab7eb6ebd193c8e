// What follows a ranking: diversity against a twin that computes every maximum anew, PageRank against a dense solution, grouping.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>

#include "core/error.hpp"
#include "search/diversity.hpp"
#include "search/grouping.hpp"
#include "search/page_rank.hpp"

using namespace rag::core;

namespace {

std::vector<Ranked> random_ranking(std::mt19937& random, std::size_t size) {
    std::vector<Ranked> ranking(size);
    for (std::size_t i = 0; i < size; ++i) {
        ranking[i].id = static_cast<std::int64_t>(i) + 10;
        ranking[i].vector_part = static_cast<float>(random() % 100) / 200.0F;
        ranking[i].bm25_part = static_cast<float>(random() % 100) / 200.0F;
        ranking[i].add_up();
    }
    std::sort(ranking.begin(), ranking.end(), [](const Ranked& a, const Ranked& b) { return better(a, b); });
    return ranking;
}

/// The definition, as it is written in the paper.
std::vector<std::int64_t> slow_mmr(const std::vector<Ranked>& ranking, std::size_t k, float diversity,
                                   const Similarity& similar) {
    std::vector<std::size_t> picked;
    while (picked.size() < std::min(k, ranking.size())) {
        std::size_t best = ranking.size();
        float best_value = 0;
        for (std::size_t i = 0; i < ranking.size(); ++i) {
            if (std::find(picked.begin(), picked.end(), i) != picked.end()) continue;
            float nearest = 0;
            for (const std::size_t p : picked) nearest = std::max(nearest, similar(p, i));
            const float value = (1.0F - diversity) * ranking[i].score - diversity * nearest;
            if (best == ranking.size() || value > best_value) {
                best = i;
                best_value = value;
            }
        }
        picked.push_back(best);
    }
    std::vector<std::int64_t> ids;
    for (const std::size_t i : picked) ids.push_back(ranking[i].id);
    return ids;
}

/// (I - damping P^T) x = (1 - damping) s by elimination; nodes without edges go back to the seeds.
std::vector<double> dense_page_rank(const std::vector<double>& seeds, const std::vector<WeightedEdge>& edges, double damping) {
    const std::size_t n = seeds.size();
    std::vector<std::vector<double>> weight(n, std::vector<double>(n, 0.0));
    for (const auto& edge : edges) {
        if (edge.from == edge.to) continue;
        weight[edge.from][edge.to] += edge.weight;
        weight[edge.to][edge.from] += edge.weight;
    }
    double total = 0;
    for (const double seed : seeds) total += seed;
    std::vector<std::vector<double>> a(n, std::vector<double>(n + 1, 0.0));
    for (std::size_t i = 0; i < n; ++i) {
        a[i][i] = 1;
        a[i][n] = (1 - damping) * seeds[i] / total;
    }
    for (std::size_t from = 0; from < n; ++from) {
        double out = 0;
        for (const double w : weight[from]) out += w;
        for (std::size_t to = 0; to < n; ++to) a[to][from] -= damping * (out > 0 ? weight[from][to] / out : seeds[to] / total);
    }
    for (std::size_t column = 0; column < n; ++column) {
        std::size_t pivot = column;
        for (std::size_t row = column; row < n; ++row) {
            if (std::abs(a[row][column]) > std::abs(a[pivot][column])) pivot = row;
        }
        std::swap(a[pivot], a[column]);
        for (std::size_t row = 0; row < n; ++row) {
            if (row == column) continue;
            const double factor = a[row][column] / a[column][column];
            for (std::size_t i = column; i <= n; ++i) a[row][i] -= factor * a[column][i];
        }
    }
    std::vector<double> out(n);
    for (std::size_t i = 0; i < n; ++i) out[i] = a[i][n] / a[i][i];
    return out;
}

}  // namespace

TEST_CASE("diversity picks what its slow twin picks, and parts sum to falling scores") {
    std::mt19937 random(2);
    for (int round = 0; round < 200; ++round) {
        const std::size_t size = random() % 30;
        const auto ranking = random_ranking(random, size);
        std::vector<float> points(size);
        for (auto& point : points) point = static_cast<float>(random() % 50) / 50.0F;
        const Similarity similar = [&](std::size_t a, std::size_t b) { return 1.0F - std::abs(points[a] - points[b]); };
        const float diversity = static_cast<float>(random() % 5) / 4.0F;
        const std::size_t k = random() % 35;
        const auto picks = diversify(ranking, k, diversity, similar);
        std::vector<std::int64_t> ids;
        for (std::size_t i = 0; i < picks.size(); ++i) {
            ids.push_back(picks[i].id);
            CHECK(picks[i].score == Approx(picks[i].vector_part + picks[i].bm25_part + picks[i].diversity_part));
            if (i > 0) CHECK(picks[i].score <= picks[i - 1].score);
        }
        REQUIRE(ids == slow_mmr(ranking, k, diversity, similar));
        if (diversity == 0.0F) {
            for (std::size_t i = 0; i < picks.size(); ++i) REQUIRE(picks[i].id == ranking[i].id);
        }
    }
}

TEST_CASE("PageRank equals the dense solution") {
    std::mt19937 random(3);
    for (int round = 0; round < 60; ++round) {
        const auto nodes = static_cast<std::uint32_t>(2 + random() % 25);
        std::vector<double> seeds(nodes, 0.0);
        for (std::uint32_t i = 0; i < nodes; ++i) seeds[i] = random() % 3 == 0 ? static_cast<double>(random() % 9) : 0.0;
        seeds[random() % nodes] += 1;
        std::vector<WeightedEdge> edges;
        for (std::uint32_t i = 0; i < random() % (3 * nodes); ++i) {
            edges.push_back({static_cast<std::uint32_t>(random() % nodes), static_cast<std::uint32_t>(random() % nodes),
                             0.5 + static_cast<double>(random() % 5)});
        }
        PageRankOptions options;
        options.damping = 0.1 * static_cast<double>(random() % 10);
        const auto found = personalised_page_rank(seeds, edges, options);
        const auto expected = dense_page_rank(seeds, edges, options.damping);
        double sum = 0;
        for (std::uint32_t i = 0; i < nodes; ++i) {
            INFO("round " << round << " node " << i);
            REQUIRE(found[i] == Approx(expected[i]).margin(1e-7));
            sum += found[i];
        }
        CHECK(sum == Approx(1.0));
    }
    CHECK_THROWS_AS(personalised_page_rank({1.0}, {}, {1.0}), Error);
    CHECK_THROWS_AS(personalised_page_rank({0.0}, {}), Error);
    CHECK_THROWS_AS(personalised_page_rank({1.0}, {{0, 1, 1.0}}), Error);
}

TEST_CASE("grouping keeps the order of documents by their best chunk") {
    std::vector<Ranked> ranking(7);
    for (std::size_t i = 0; i < ranking.size(); ++i) {
        ranking[i].id = static_cast<std::int64_t>(i);
        ranking[i].score = 1.0F - static_cast<float>(i) / 10.0F;
    }
    const std::vector<std::int64_t> documents = {5, 3, 5, 5, 9, 3, 1};
    std::size_t groups = 0;
    const auto ids = [&](std::size_t offset, std::size_t k, std::size_t hits) {
        std::vector<std::int64_t> out;
        for (const auto& one : group_by_document(ranking, documents, offset, k, hits, groups)) out.push_back(one.id);
        return out;
    };
    using Ids = std::vector<std::int64_t>;
    CHECK(ids(0, 10, 1) == Ids{0, 1, 4, 6});
    CHECK(groups == 4);
    CHECK(ids(0, 2, 2) == Ids{0, 2, 1, 5});
    CHECK(ids(1, 2, 9) == Ids{1, 5, 4});
    CHECK(ids(4, 2, 9).empty());
}
