// Recall of the graphs against the exact search, merging, and that one thread and one seed give one result.
#include <catch2/catch.hpp>
#include <set>

#include "index/vector/vector_index.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

double recall(const VectorIndex& index, const std::vector<float>& queries, std::size_t k, std::size_t ef) {
    const std::size_t dimension = index.options().dimension;
    std::size_t right = 0;
    const std::size_t count = queries.size() / dimension;
    for (std::size_t query = 0; query < count; ++query) {
        const auto vector = rag::test::row_of(queries, dimension, query);
        std::set<std::int64_t> expected;
        for (const auto& hit : index.search_exact(vector, k)) expected.insert(hit.id);
        for (const auto& hit : index.search(vector, k, ef)) right += expected.count(hit.id);
    }
    return static_cast<double>(right) / static_cast<double>(count * k);
}

}  // namespace

TEST_CASE("recall at 10 of one segment of 6,000 rows is 0.99 with the default beam") {
    constexpr std::size_t kDimension = 96;
    const auto all = rag::test::clustered_vectors(6200, kDimension, 100, 21);
    const auto rows = std::span(all).first(6000 * kDimension);
    const std::vector<float> queries(all.begin() + 6000 * kDimension, all.end());
    for (const Metric metric : {Metric::kCosine, Metric::kInnerProduct, Metric::kL2}) {
        for (const VectorType type : {VectorType::kFloat32, VectorType::kInt8}) {
            VectorIndexOptions options;
            options.dimension = kDimension;
            options.metric = metric;
            options.type = type;
            VectorIndex index(options);
            index.add(rag::test::consecutive_ids(6000), rows);
            REQUIRE(index.stats().segments == 1);
            REQUIRE(index.stats().tail_rows == 0);
            INFO("metric " << static_cast<int>(metric) << " type " << static_cast<int>(type));
            CHECK(recall(index, queries, 10, 0) >= 0.99);
        }
    }
}

TEST_CASE("recall stays while a graph is extended, under tombstones, and when it is built again") {
    constexpr std::size_t kDimension = 32;
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.tail_limit = 512;
    options.type = GENERATE(VectorType::kFloat32, VectorType::kInt8);
    VectorIndex index(options);
    const auto vectors = rag::test::clustered_vectors(6000, kDimension, 100, 31);
    for (std::size_t begin = 0; begin < 6000; begin += 300) {
        index.add(rag::test::consecutive_ids(300, static_cast<std::int64_t>(begin)),
                  std::span(vectors).subspan(begin * kDimension, 300 * kDimension));
        CHECK(index.stats().segments <= 1);
    }
    CHECK(index.stats().segments == 1);
    std::vector<std::int64_t> gone;
    for (std::int64_t id = 0; id < 6000; id += 8) gone.push_back(id);
    index.remove(gone);
    CHECK(index.stats().dead == 750);
    const auto queries = rag::test::clustered_vectors(200, kDimension, 100, 31);
    CHECK(recall(index, queries, 10, 0) >= 0.99);
    std::string why;
    CHECK(index.verify(why));
    // More than a fifth dead: built again without being asked.
    gone.clear();
    for (std::int64_t id = 1; id < 6000; id += 4) gone.push_back(id);
    index.remove(gone);
    CHECK(index.stats().live == 3750);
    CHECK(index.stats().dead == 0);
    CHECK(recall(index, queries, 10, 0) >= 0.99);
    CHECK(index.verify(why));
}

TEST_CASE("a graph extended again and again finds as much as one built at once") {
    constexpr std::size_t kDimension = 32;
    constexpr std::size_t kRows = 8000;
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.type = GENERATE(VectorType::kFloat32, VectorType::kInt8);
    options.tail_limit = 100'000;
    const auto vectors = rag::test::clustered_vectors(kRows, kDimension, 100, 31);
    VectorIndex at_once(options);
    at_once.add(rag::test::consecutive_ids(kRows), vectors);
    at_once.seal();
    VectorIndex extended(options);
    for (std::size_t begin = 0; begin < kRows; begin += 250) {
        extended.add(rag::test::consecutive_ids(250, static_cast<std::int64_t>(begin)),
                     std::span(vectors).subspan(begin * kDimension, 250 * kDimension));
        extended.seal();
    }
    CHECK(extended.stats().segments == 1);
    const auto queries = rag::test::clustered_vectors(300, kDimension, 100, 31);
    const double expected = recall(at_once, queries, 10, 10);
    CHECK(recall(extended, queries, 10, 10) >= expected - 0.02);
    CHECK(recall(extended, queries, 10, 0) >= 0.99);
    std::string why;
    CHECK(extended.verify(why));
}

TEST_CASE("one thread and one seed give the same bytes, another seed others") {
    const auto vectors = rag::test::random_vectors(1500, 16, 8);
    const auto bytes = [&](std::uint64_t seed) {
        VectorIndexOptions options;
        options.dimension = 16;
        options.seed = seed;
        VectorIndex index(options);
        index.add(rag::test::consecutive_ids(1500), vectors);
        index.seal();
        return index.serialize();
    };
    const auto first = bytes(1);
    CHECK(first == bytes(1));
    CHECK(first != bytes(2));
}

TEST_CASE("several threads build a graph as good") {
    constexpr std::size_t kDimension = 32;
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.threads = 3;
    VectorIndex index(options);
    const auto vectors = rag::test::clustered_vectors(5000, kDimension, 100, 41);
    index.add(rag::test::consecutive_ids(5000), vectors);
    index.seal();
    std::string why;
    REQUIRE(index.verify(why));
    CHECK(recall(index, rag::test::clustered_vectors(100, kDimension, 100, 41), 10, 0) >= 0.99);
}
