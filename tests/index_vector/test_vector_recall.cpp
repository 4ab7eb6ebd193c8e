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

TEST_CASE("recall stays under tombstones and over many segments") {
    constexpr std::size_t kDimension = 32;
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.tail_limit = 512;
    VectorIndex index(options);
    const auto vectors = rag::test::clustered_vectors(6000, kDimension, 100, 31);
    for (std::size_t begin = 0; begin < 6000; begin += 300) {
        index.add(rag::test::consecutive_ids(300, static_cast<std::int64_t>(begin)),
                  std::span(vectors).subspan(begin * kDimension, 300 * kDimension));
        CHECK(index.stats().segments <= 8);
    }
    CHECK(index.stats().segments > 1);
    std::vector<std::int64_t> gone;
    for (std::int64_t id = 0; id < 6000; id += 4) gone.push_back(id);
    index.remove(gone);
    CHECK(index.stats().dead > 0);
    const auto queries = rag::test::clustered_vectors(200, kDimension, 100, 31);
    CHECK(recall(index, queries, 10, 0) >= 0.99);
    std::string why;
    CHECK(index.verify(why));
    // More than 30% dead: rebuilt without being asked.
    gone.clear();
    for (std::int64_t id = 1; id < 6000; id += 4) gone.push_back(id);
    index.remove(gone);
    CHECK(index.stats().live == 3000);
    CHECK(static_cast<double>(index.stats().dead) <= 0.45 * 3000);
    CHECK(recall(index, queries, 10, 0) >= 0.99);
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
