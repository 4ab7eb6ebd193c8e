// Walks over float rows that have codes against walks that ask floats alone: the same rows at the same distances, whatever the
// vectors; and where graphs are not built over codes.
#include <catch2/catch.hpp>

#include "index/vector/vector_index.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

VectorSegment sealed(const std::vector<float>& vectors, std::size_t dimension, Metric metric) {
    const std::size_t count = vectors.size() / dimension;
    auto rows = std::make_shared<Rows>(dimension, count, IdOrder::kAscending, RowCodes::kKept);
    for (std::size_t row = 0; row < count; ++row) {
        double squared = 0;
        for (const float value : rag::test::row_of(vectors, dimension, row)) squared += static_cast<double>(value) * value;
        const double length = std::sqrt(squared);
        rows->append(static_cast<std::int64_t>(row), vectors.data() + row * dimension, metric == Metric::kCosine ? 1 / length : 1,
                     static_cast<float>(length));
    }
    return make_segment(rows, nullptr, VectorType::kFloat32, {metric, 8, 60, 1, 1}, {});
}

void check_equal(const std::vector<GraphCandidate>& found, const std::vector<GraphCandidate>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].row == expected[i].row);
        CHECK(found[i].distance == expected[i].distance);
    }
}

void check_walks(const std::vector<float>& vectors, const std::vector<float>& queries, std::size_t dimension) {
    for (const Metric metric : {Metric::kCosine, Metric::kInnerProduct, Metric::kL2}) {
        CAPTURE(static_cast<int>(metric));
        const VectorSegment segment = sealed(vectors, dimension, metric);
        std::vector<std::int64_t> even;
        for (std::size_t row = 0; row < segment.rows->size(); row += 2) even.push_back(static_cast<std::int64_t>(row));
        const IdSet filter(even);
        const RowFilter allowed(*segment.rows, &filter);
        Scratch with;
        Scratch without;
        AlignedArray<float> query(padded_floats(dimension));
        std::fill_n(query.data(), query.size(), 0.0F);
        for (std::size_t i = 0; i < queries.size() / dimension; ++i) {
            std::copy_n(queries.data() + i * dimension, dimension, query.data());
            const QueryDistance floats(metric, *segment.rows, query.data());
            const QueryDistance quick = quick_distance(segment, {metric, query.data(), 10, 40, nullptr}, with);
            for (const std::size_t ef : {1U, 10U, 60U}) {
                search_graph(*segment.graph, floats, ef, without);
                search_graph(*segment.graph, quick, ef, with);
                check_equal(with.pool, without.pool);
                CHECK(with.touched.size() == without.touched.size());
                for (const Passing passing : {Passing::kThrough, Passing::kOver}) {
                    REQUIRE(search_graph_filtered(*segment.graph, floats, ef, allowed, passing, 100'000, without));
                    REQUIRE(search_graph_filtered(*segment.graph, quick, ef, allowed, passing, 100'000, with));
                    check_equal(with.pool, without.pool);
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("a walk with the help of codes is the walk over floats") {
    constexpr std::size_t kDimension = 72;
    check_walks(rag::test::random_vectors(1200, kDimension, 1), rag::test::random_vectors(12, kDimension, 2), kDimension);
    check_walks(rag::test::clustered_vectors(1200, kDimension, 25, 3), rag::test::clustered_vectors(12, kDimension, 25, 3),
                kDimension);
}

TEST_CASE("a walk with the help of codes is that over floats where codes are poor") {
    constexpr std::size_t kDimension = 40;
    auto spiked = rag::test::random_vectors(600, kDimension, 4);
    auto far = rag::test::random_vectors(600, kDimension, 5);  // far from zero, near one another
    auto uneven = rag::test::random_vectors(600, kDimension, 6);
    for (std::size_t row = 0; row < 600; ++row) {
        spiked[row * kDimension + row % kDimension] = 500.0F;
        const float factor = std::pow(10.0F, static_cast<float>(row % 25) - 12.0F);
        for (std::size_t i = 0; i < kDimension; ++i) {
            far[row * kDimension + i] += 1000.0F;
            uneven[row * kDimension + i] *= factor;
        }
    }
    const auto queries = rag::test::random_vectors(6, kDimension, 7);
    auto far_queries = queries;
    for (float& value : far_queries) value += 1000.0F;
    check_walks(spiked, queries, kDimension);
    check_walks(far, far_queries, kDimension);
    check_walks(uneven, queries, kDimension);
}

TEST_CASE("a graph is built over floats where codes would blur the rows") {
    constexpr std::size_t kDimension = 48;
    constexpr std::size_t kRows = 3000;
    const auto rows_of = [](const std::vector<float>& vectors) {
        Rows rows(kDimension, kRows, IdOrder::kAscending, RowCodes::kKept);
        for (std::size_t row = 0; row < kRows; ++row) {
            double squared = 0;
            for (const float value : rag::test::row_of(vectors, kDimension, row)) squared += static_cast<double>(value) * value;
            rows.append(static_cast<std::int64_t>(row), vectors.data() + row * kDimension, 1,
                        static_cast<float>(std::sqrt(squared)));
        }
        return codes_tell_apart(rows);
    };
    auto vectors = rag::test::clustered_vectors(kRows, kDimension, 50, 8);
    CHECK(rows_of(vectors));
    for (float& value : vectors) value += 200.0F;
    CHECK_FALSE(rows_of(vectors));

    VectorIndexOptions options;
    options.dimension = kDimension;
    options.metric = Metric::kL2;
    VectorIndex index(options);
    index.add(rag::test::consecutive_ids(kRows), vectors);
    index.seal();
    std::size_t right = 0;
    for (std::size_t row = 0; row < kRows; row += 30) {
        const auto query = rag::test::row_of(vectors, kDimension, row);
        const auto expected = index.search_exact(query, 10);
        const auto found = index.search(query, 10);
        REQUIRE(found.size() == 10);
        for (std::size_t i = 0; i < 10; ++i) right += found[i].score >= expected.back().score ? 1U : 0U;
    }
    CHECK(right >= 990);
}
