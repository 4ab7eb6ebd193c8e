// Random sequences of every operation against a model that is a map, and the churn that strands rows elsewhere
// (chroma-core/chroma#7758, qdrant/qdrant#10547): every live row is found by its own vector, no dead one is.
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "index/vector/vector_index.hpp"
#include "test_files.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

/// The slow twin: a map of vectors, scored in double.
class FlatModel {
  public:
    explicit FlatModel(Metric metric) : metric_(metric) {}
    std::map<std::int64_t, std::vector<float>> rows;

    std::vector<std::pair<double, std::int64_t>> search(std::span<const float> query, std::size_t k) const {
        std::vector<std::pair<double, std::int64_t>> all;
        for (const auto& [id, row] : rows) all.emplace_back(-score(query, row), id);
        std::sort(all.begin(), all.end());
        all.resize(std::min(k, all.size()));
        return all;
    }
    double score(std::span<const float> a, std::span<const float> b) const {
        double dot = 0, a2 = 0, b2 = 0, l2 = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            const double x = a[i], y = b[i];
            dot += x * y;
            a2 += x * x;
            b2 += y * y;
            l2 += (x - y) * (x - y);
        }
        if (metric_ == Metric::kCosine) return dot / std::sqrt(a2 * b2);
        return metric_ == Metric::kL2 ? -l2 : dot;
    }

  private:
    Metric metric_;
};

void check_same(const VectorIndex& index, const FlatModel& model, std::span<const float> query, std::size_t k) {
    const auto expected = model.search(query, k);
    const auto exact = index.search_exact(query, k);
    const auto found = index.search(query, k);
    REQUIRE(exact.size() == expected.size());
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < exact.size(); ++i) {
        CHECK(exact[i].score == Approx(-expected[i].first).margin(1e-4).epsilon(1e-4));
        REQUIRE(model.rows.count(found[i].id) == 1);
        CHECK(found[i].score == Approx(model.score(query, model.rows.at(found[i].id))).margin(1e-4).epsilon(1e-4));
        if (i > 0) CHECK(found[i - 1].score >= found[i].score);
    }
}

void run_sequence(Metric metric, VectorType type, std::uint64_t seed) {
    constexpr std::size_t kDimension = 12;
    const rag::test::TemporaryFolder folder;
    std::mt19937_64 random(seed);
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.metric = metric;
    options.type = type;
    options.m = 2 + random() % 15;
    options.ef_construction = 40;
    options.tail_limit = 50 + random() % 200;
    auto index = std::make_unique<VectorIndex>(options);
    FlatModel model(metric);
    std::int64_t next_id = -100;
    for (int step = 0; step < 60; ++step) {
        INFO("seed " << seed << " step " << step);
        const auto action = random() % 100;
        if (action < 45) {
            const std::size_t count = random() % 150;
            const auto ids = rag::test::consecutive_ids(count, next_id);
            next_id += static_cast<std::int64_t>(count);
            auto vectors = rag::test::random_vectors(count, kDimension, random());
            // Some vectors many times over: duplicates are what prunes links away.
            for (std::size_t row = 1; row < count; ++row) {
                if (random() % 4 == 0)
                    std::copy_n(vectors.begin(), kDimension, vectors.begin() + static_cast<std::ptrdiff_t>(row * kDimension));
            }
            index->add(ids, vectors);
            for (std::size_t row = 0; row < count; ++row) {
                const auto one = rag::test::row_of(vectors, kDimension, row);
                model.rows[ids[row]] = {one.begin(), one.end()};
            }
        } else if (action < 70) {
            std::vector<std::int64_t> gone;
            const std::size_t share = 2 + random() % 10;
            for (const auto& entry : model.rows) {
                if (random() % share == 0) gone.push_back(entry.first);
            }
            CHECK(index->remove(gone) == gone.size());
            for (const std::int64_t id : gone) model.rows.erase(id);
        } else if (action < 78) {
            index->seal();
        } else if (action < 82) {
            index->compact();
            CHECK(index->stats().dead == 0);
        } else if (action < 88) {
            index->set_sequence(random());
            const std::uint64_t sequence = index->sequence();
            index->save(folder / "index");
            index = VectorIndex::load(folder / "index", options);
            CHECK(index->sequence() == sequence);
        } else {
            const auto query = rag::test::random_vectors(1, kDimension, random());
            check_same(*index, model, query, 1 + random() % 40);
        }
        CHECK(index->size() == model.rows.size());
    }
    std::string why;
    INFO(why);
    CHECK(index->verify(why));
    std::vector<std::int64_t> expected_ids;
    for (const auto& entry : model.rows) expected_ids.push_back(entry.first);
    CHECK(index->ids() == expected_ids);
    for (const auto& [id, row] : model.rows) {
        std::vector<float> out(kDimension);
        REQUIRE(index->get(id, out));
        for (std::size_t i = 0; i < kDimension; ++i) REQUIRE(std::abs(out[i] - row[i]) <= 1e-6F * std::abs(row[i]));
    }
}

}  // namespace

TEST_CASE("any sequence of operations equals the flat model") {
    std::uint64_t seed = 1;
    for (const Metric metric : {Metric::kCosine, Metric::kInnerProduct, Metric::kL2}) {
        for (const VectorType type : {VectorType::kFloat32, VectorType::kInt8}) {
            for (int round = 0; round < 4; ++round) run_sequence(metric, type, seed++);
        }
    }
}

TEST_CASE("churn strands no row") {
    constexpr std::size_t kDimension = 32;
    constexpr std::size_t kInserts = 4000;
    for (const VectorType type : {VectorType::kFloat32, VectorType::kInt8}) {
        VectorIndexOptions options;
        options.dimension = kDimension;
        options.type = type;
        options.tail_limit = 1000;
        options.ef_construction = 100;
        VectorIndex index(options);
        std::mt19937_64 random(11);
        std::map<std::int64_t, std::vector<float>> live;
        std::set<std::int64_t> gone;
        const auto put = [&](std::int64_t id) {
            live[id] = rag::test::random_vectors(1, kDimension, random());
            index.add(std::span(&id, 1), live[id]);
        };
        std::int64_t next_id = 0;
        for (int round = 0; round < 4; ++round) {
            while (live.size() < kInserts) put(next_id++);
            std::vector<std::int64_t> ids;
            for (const auto& entry : live) ids.push_back(entry.first);
            std::shuffle(ids.begin(), ids.end(), random);
            const auto half = static_cast<std::ptrdiff_t>(ids.size() / 2);
            const std::vector<std::int64_t> removed(ids.begin(), ids.begin() + half);
            REQUIRE(index.remove(removed) == removed.size());
            for (const std::int64_t id : removed) {
                live.erase(id);
                gone.insert(id);
            }
            for (std::ptrdiff_t i = half; i < half + half * 3 / 10; ++i) {
                const std::int64_t id = ids[static_cast<std::size_t>(i)];
                REQUIRE(index.remove(std::span(&id, 1)) == 1);
                put(id);
            }
            std::size_t lost = 0;
            for (const auto& [id, vector] : live) {
                bool found = false;
                for (const auto& hit : index.search(vector, 200, 1024)) {
                    found = found || hit.id == id;
                    REQUIRE(gone.count(hit.id) == 0);
                }
                // Also without the width that makes small segments exact.
                if (found && index.search(vector, 1, 64).front().id == id) continue;
                ++lost;
            }
            CHECK(lost == 0);
        }
        const auto stats = index.stats();
        CHECK(stats.live == live.size());
        CHECK(static_cast<double>(stats.dead) <= 0.45 * static_cast<double>(stats.live));
        index.compact();
        CHECK(index.stats().vector_bytes == live.size() * kDimension * sizeof(float));
    }
}

TEST_CASE("rows that a graph cannot reach are found") {
    // hnswlib prunes links among equal vectors until some rows have none.
    constexpr std::size_t kRows = 3000;
    VectorIndexOptions options;
    options.dimension = 16;
    options.m = 2;
    options.ef_construction = 8;
    VectorIndex index(options);
    auto vectors = rag::test::random_vectors(kRows, 16, 3);
    for (std::size_t row = 0; row < kRows; row += 2)
        std::copy_n(vectors.begin(), 16, vectors.begin() + static_cast<std::ptrdiff_t>(row * 16));
    index.add(rag::test::consecutive_ids(kRows), vectors);
    index.seal();
    CHECK(index.stats().stragglers > 0);
    std::string why;
    CHECK(index.verify(why));
    for (std::size_t row = 1; row < kRows; row += 2) {
        if (index.search(rag::test::row_of(vectors, 16, row), 1, 64).front().id != static_cast<std::int64_t>(row))
            FAIL_CHECK("row " << row);
    }
    // 1,500 equal rows: all of them come back when asked for.
    const auto hits = index.search(rag::test::row_of(vectors, 16, 0), kRows / 2, 64);
    REQUIRE(hits.size() == kRows / 2);
    for (const auto& hit : hits) CHECK(hit.id % 2 == 0);
}
