// What is merged next, from sizes and tombstones alone; and files with many segments, as older versions wrote them.
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "index/vector/merge_policy.hpp"
#include "index/vector/vector_file.hpp"
#include "index/vector/vector_index.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

constexpr std::size_t kDimension = 4;

std::shared_ptr<Rows> rows_of(std::int64_t first, std::size_t count) {
    auto rows = std::make_shared<Rows>(kDimension, count, IdOrder::kAny);
    const auto vectors = rag::test::random_vectors(count, kDimension, static_cast<std::uint64_t>(first));
    for (std::size_t i = 0; i < count; ++i) {
        const auto vector = rag::test::row_of(vectors, kDimension, i);
        const float length = std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0F));
        rows->append(first + static_cast<std::int64_t>(i), vector.data(), 1, length);
    }
    return rows;
}
VectorSegment piece(std::int64_t first, std::size_t count) {
    return {rows_of(first, count), nullptr, nullptr};
}
/// As if sealed: the policy asks only whether there is a graph.
VectorSegment sealed(std::int64_t first, std::size_t count, std::size_t dead = 0) {
    VectorSegment segment{rows_of(first, count), std::make_shared<Graph>(), nullptr};
    for (std::size_t row = 0; row < dead; ++row) segment.rows->kill(row);
    return segment;
}

std::vector<std::size_t> sizes(const MergePlan& plan) {
    std::vector<std::size_t> out;
    for (const VectorSegment& source : plan.sources) out.push_back(source.rows->size());
    return out;
}
using Sizes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("the tail goes into the largest graph when it is long enough") {
    CHECK(plan_merge({}, 100).sources.empty());
    CHECK(plan_merge({piece(0, 99)}, 100).sources.empty());
    CHECK(sizes(plan_merge({piece(0, 60), piece(100, 40)}, 100)) == Sizes{60, 40});
    CHECK_FALSE(plan_merge({piece(0, 100)}, 100).base);
    const auto plan = plan_merge({sealed(0, 200), sealed(1000, 300), piece(2000, 100)}, 100);
    CHECK(plan.base);
    CHECK(sizes(plan) == Sizes{300, 100});
}

TEST_CASE("a large graph waits for a tail that is worth copying it") {
    CHECK(plan_merge({sealed(0, 6400), piece(10'000, 199)}, 100).sources.empty());
    CHECK(sizes(plan_merge({sealed(0, 6400), piece(10'000, 200)}, 100)) == Sizes{6400, 200});
    // Whoever asks for it does not wait.
    CHECK(sizes(plan_seal({sealed(0, 6400), piece(10'000, 1)})) == Sizes{6400, 1});
    CHECK(plan_seal({sealed(0, 6400)}).sources.empty());
}

TEST_CASE("a long tail is taken in steps that do not grow with what is there, unless less is not worth a copy") {
    std::vector<VectorSegment> segments;
    for (std::int64_t i = 0; i < 20; ++i) segments.push_back(piece(i * 100, 100));
    CHECK(sizes(plan_merge(segments, 100)) == Sizes{100, 100, 100, 100});
    segments.push_back(sealed(10'000, 700));
    CHECK(sizes(plan_merge(segments, 100)) == Sizes{700, 100, 100, 100, 100});
    segments.back() = sealed(10'000, 6'400);
    CHECK(sizes(plan_merge(segments, 100)) == Sizes{6'400, 100, 100, 100, 100});
    segments.back() = sealed(10'000, 19'200);  // a thirty-second of it
    CHECK(sizes(plan_merge(segments, 100)) == Sizes{19'200, 100, 100, 100, 100, 100, 100});
    // One piece is never cut.
    CHECK(sizes(plan_merge({piece(0, 5000)}, 100)) == Sizes{5000});
}

TEST_CASE("more than a fifth dead is built again, alone and first") {
    CHECK(plan_merge({sealed(0, 100, 20)}, 1000).sources.empty());
    const auto plan = plan_merge({sealed(0, 100), sealed(1000, 100, 21), piece(2000, 5000)}, 1000);
    CHECK(sizes(plan) == Sizes{100});
    CHECK_FALSE(plan.base);
    CHECK(plan.sources.front().rows->dead_count() == 21);
}

TEST_CASE("a file with many segments is searched as it is, and merged") {
    constexpr std::size_t kSegments = 12;
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.background = true;
    options.metric = Metric::kL2;
    options.tail_limit = 200;  // fewer than all rows: a file of no more than a tail has no graph
    std::vector<FrozenSegment> segments;
    for (std::size_t i = 0; i < kSegments; ++i) {
        const auto rows = rows_of(static_cast<std::int64_t>(i) * 1000, 20 + i);
        segments.emplace_back(make_segment(rows, nullptr, options.type, {options.metric, options.m, 50, 1, 1}, {}));
    }
    std::vector<std::byte> bytes;
    write_vector_file(options, 3, segments,
                      [&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    const auto index = VectorIndex::parse(bytes, nullptr, "many", options);
    CHECK(index->stats().segments == kSegments);
    const auto all_found = [&] {
        for (const FrozenSegment& segment : segments) {
            const Rows& rows = *segment.segment.rows;
            for (std::size_t row = 0; row < rows.size(); ++row) {
                const auto hits = index->search({rows.vector(row), kDimension}, 1);
                if (hits.size() != 1 || hits.front().id != rows.id(row)) return false;
            }
        }
        return true;
    };
    CHECK(all_found());
    while (index->maintain()) {
    }
    CHECK(index->stats().segments == 1);
    CHECK(all_found());
    std::string why;
    CHECK(index->verify(why));
}

TEST_CASE("compaction keeps a graph in which nothing is dead") {
    const auto sealed = [](std::int64_t first, std::size_t count) {
        return make_segment(rows_of(first, count), nullptr, VectorType::kFloat32, {Metric::kL2, 8, 50, 1, 1}, {});
    };
    const VectorSegment large = sealed(0, 300);
    const VectorSegment small = sealed(1000, 100);
    const VectorSegment tail{rows_of(2000, 20), nullptr, nullptr};
    CHECK(plan_compact({}).sources.empty());
    CHECK(plan_compact({large}).sources.empty());
    const MergePlan kept = plan_compact({small, large, tail});
    CHECK(kept.base);
    REQUIRE(kept.sources.size() == 3);
    CHECK(kept.sources.front().rows == large.rows);
    small.rows->kill(5);
    CHECK(plan_compact({small, large, tail}).base);
    large.rows->kill(7);
    CHECK_FALSE(plan_compact({small, large, tail}).base);
    CHECK(plan_compact({large}).sources.size() == 1);
    CHECK_FALSE(plan_compact({tail}).base);
    CHECK(plan_compact({tail}).sources.size() == 1);
}
