// The tail's scan by codes against the scan that scores every row: the same rows, the same scores.
#include <catch2/catch.hpp>

#include "index/vector/tail_scan.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

/// A piece of a tail with every tenth row dead.
VectorSegment make_tail(const std::vector<float>& vectors, std::size_t dimension, Metric metric) {
    const std::size_t count = vectors.size() / dimension;
    auto rows = std::make_shared<Rows>(dimension, count + 5, IdOrder::kAny, RowCodes::kKept);
    for (std::size_t row = 0; row < count; ++row) {
        double squared = 0;
        for (const float value : rag::test::row_of(vectors, dimension, row)) squared += static_cast<double>(value) * value;
        const double length = std::sqrt(squared);
        const double factor = metric == Metric::kCosine ? 1 / length : 1.0;
        rows->append(static_cast<std::int64_t>(row) * 3, vectors.data() + row * dimension, factor, static_cast<float>(length));
        if (row % 10 == 9) rows->kill(row);
    }
    return {rows, nullptr, nullptr};
}

std::vector<Neighbour> run(const VectorSegment& segment, const SegmentQuery& query, bool by_codes) {
    Scratch scratch;
    TopK top(query.k);
    by_codes ? scan_tail(segment, query, scratch, top) : scan_segment(segment, query, scratch, top);
    return top.take();
}

void check_same(const std::vector<float>& vectors, const std::vector<float>& queries, std::size_t dimension, Metric metric) {
    const VectorSegment segment = make_tail(vectors, dimension, metric);
    std::vector<std::int64_t> some;
    for (std::int64_t id = 0; id < static_cast<std::int64_t>(vectors.size() / dimension) * 3; id += 12) some.push_back(id);
    const IdSet filter(some);
    std::vector<float> padded(padded_floats(dimension) + 16);
    float* query = padded.data();
    while (reinterpret_cast<std::uintptr_t>(query) % 64 != 0) ++query;
    for (std::size_t i = 0; i < queries.size() / dimension; ++i) {
        std::copy_n(queries.data() + i * dimension, dimension, query);
        for (const IdSet* allowed : {static_cast<const IdSet*>(nullptr), &filter}) {
            for (const std::size_t k : {1U, 10U, 100U}) {
                const SegmentQuery asked{metric, query, k, k, allowed};
                const auto expected = run(segment, asked, false);
                const auto found = run(segment, asked, true);
                REQUIRE(found.size() == expected.size());
                for (std::size_t at = 0; at < found.size(); ++at) {
                    CHECK(found[at].id == expected[at].id);
                    CHECK(found[at].score == expected[at].score);
                }
            }
        }
    }
}

}  // namespace

TEST_CASE("a scan by codes finds what a scan of every row finds") {
    constexpr std::size_t kDimension = 100;
    const auto uniform = rag::test::random_vectors(1500, kDimension, 1);
    const auto clustered = rag::test::clustered_vectors(1500, kDimension, 20, 2);
    for (const Metric metric : {Metric::kCosine, Metric::kInnerProduct, Metric::kL2}) {
        CAPTURE(static_cast<int>(metric));
        check_same(uniform, rag::test::random_vectors(10, kDimension, 3), kDimension, metric);
        check_same(clustered, rag::test::clustered_vectors(10, kDimension, 20, 2), kDimension, metric);
    }
}

TEST_CASE("a scan by codes is exact where codes are poor") {
    // One value far above the others: theirs are lost in its code.
    constexpr std::size_t kDimension = 48;
    auto spiked = rag::test::random_vectors(800, kDimension, 4);
    for (std::size_t row = 0; row < 800; ++row) spiked[row * kDimension + row % kDimension] = 500.0F;
    // Lengths from 1e-18 to 1e18, equal rows, and rows that differ in the last place.
    auto uneven = rag::test::random_vectors(800, kDimension, 5);
    for (std::size_t row = 0; row < 800; ++row) {
        const float factor = std::pow(10.0F, static_cast<float>(row % 37) - 18.0F);
        for (std::size_t i = 0; i < kDimension; ++i) uneven[row * kDimension + i] *= factor;
    }
    auto equal = rag::test::random_vectors(800, kDimension, 6);
    for (std::size_t row = 1; row < 800; ++row) {
        std::copy_n(equal.data(), kDimension, equal.data() + row * kDimension);
        if (row % 2 == 0) equal[row * kDimension] = std::nextafter(equal[0], 9.0F);
    }
    const auto queries = rag::test::random_vectors(6, kDimension, 7);
    for (const Metric metric : {Metric::kCosine, Metric::kInnerProduct, Metric::kL2}) {
        CAPTURE(static_cast<int>(metric));
        check_same(spiked, queries, kDimension, metric);
        check_same(uneven, queries, kDimension, metric);
        check_same(equal, queries, kDimension, metric);
    }
}
