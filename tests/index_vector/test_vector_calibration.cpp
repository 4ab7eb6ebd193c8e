// The beam that a graph is found to need: recall without anybody's choice, for vectors with and without structure.
#include <catch2/catch.hpp>
#include <set>

#include "index/vector/calibrate.hpp"
#include "index/vector/vector_index.hpp"
#include "test_files.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

double recall(const VectorIndex& index, const std::vector<float>& queries, std::size_t k, std::size_t ef, const IdSet* filter) {
    const std::size_t dimension = index.options().dimension;
    std::size_t right = 0;
    std::size_t all = 0;
    for (std::size_t i = 0; i < queries.size() / dimension; ++i) {
        const auto query = rag::test::row_of(queries, dimension, i);
        std::set<std::int64_t> truth;
        for (const Neighbour& hit : index.search_exact(query, k, filter)) truth.insert(hit.id);
        for (const Neighbour& hit : index.search(query, k, ef, filter)) right += truth.count(hit.id);
        all += truth.size();
    }
    return static_cast<double>(right) / static_cast<double>(all);
}

std::unique_ptr<VectorIndex> make_index(const std::vector<float>& vectors, std::size_t dimension, VectorType type,
                                        Metric metric) {
    VectorIndexOptions options;
    options.dimension = dimension;
    options.type = type;
    options.metric = metric;
    options.ef_construction = 100;
    auto index = std::make_unique<VectorIndex>(options);
    index->add(rag::test::consecutive_ids(vectors.size() / dimension), vectors);
    index->seal();
    return index;
}

}  // namespace

TEST_CASE("vectors without structure are found too, at every selectivity") {
    constexpr std::size_t kDimension = 128;
    constexpr std::size_t kRows = 8000;
    const auto vectors = rag::test::random_vectors(kRows, kDimension, 1);
    const auto queries = rag::test::random_vectors(50, kDimension, 2);
    for (const VectorType type : {VectorType::kFloat32, VectorType::kInt8}) {
        const auto index = make_index(vectors, kDimension, type, type == VectorType::kInt8 ? Metric::kCosine : Metric::kL2);
        CHECK(recall(*index, queries, 10, kLeastBeam, nullptr) < 0.95);  // what the least beam alone would give
        CHECK(recall(*index, queries, 10, 0, nullptr) >= 0.99);
        CHECK(recall(*index, queries, 100, 0, nullptr) >= 0.99);
        for (const std::int64_t step : {2, 10, 50, 1000}) {
            std::vector<std::int64_t> some;
            for (std::int64_t id = 0; id < static_cast<std::int64_t>(kRows); id += step) some.push_back(id);
            const IdSet filter(some);
            CAPTURE(step);
            CHECK(recall(*index, queries, 10, 0, &filter) >= 0.99);
        }
    }
}

TEST_CASE("vectors in clusters need no wider beam, and the beam that was found is kept") {
    constexpr std::size_t kDimension = 64;
    const auto vectors = rag::test::clustered_vectors(6000, kDimension, 50, 3);
    const auto index = make_index(vectors, kDimension, VectorType::kInt8, Metric::kCosine);
    const auto bytes = index->serialize();
    const auto again = VectorIndex::parse(bytes, nullptr, "a file");
    CHECK(again->serialize() == bytes);
    const std::vector<float> queries(vectors.begin(), vectors.begin() + 50 * kDimension);
    // Equal results at the rule's beam and at the one that was found: they are the same.
    for (std::size_t i = 0; i < 50; ++i) {
        const auto query = rag::test::row_of(queries, kDimension, i);
        const auto by_rule = index->search(query, 10, VectorIndex::default_ef(10));
        const auto found = again->search(query, 10);
        REQUIRE(found.size() == by_rule.size());
        for (std::size_t at = 0; at < found.size(); ++at) CHECK(found[at].id == by_rule[at].id);
    }
}

TEST_CASE("removed rows are not found by a scan that stands in for a walk") {
    constexpr std::size_t kDimension = 128;
    const auto vectors = rag::test::random_vectors(6000, kDimension, 4);
    const auto index = make_index(vectors, kDimension, VectorType::kInt8, Metric::kCosine);
    std::vector<std::int64_t> gone;
    for (std::int64_t id = 0; id < 600; ++id) gone.push_back(id);
    index->remove(gone);
    for (std::size_t row = 0; row < 620; row += 7) {
        const auto found = index->search(rag::test::row_of(vectors, kDimension, row), 200);
        REQUIRE(found.size() == 200);
        CHECK((found.front().id == static_cast<std::int64_t>(row)) == (row >= 600));
        for (const Neighbour& hit : found) CHECK(hit.id >= 600);
    }
}
