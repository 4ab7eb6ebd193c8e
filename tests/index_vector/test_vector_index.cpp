// What VectorIndex promises of one call at a time: scores, order, errors that change nothing, get, filters.
#include "index/vector/vector_index.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <set>

#include "vectors.hpp"

using namespace rag::core;
using Catch::Matchers::Contains;

namespace {

VectorIndexOptions small_options(Metric metric, std::size_t dimension = 8) {
    VectorIndexOptions options;
    options.dimension = dimension;
    options.metric = metric;
    options.tail_limit = 64;
    return options;
}

std::string error_of(const std::function<void()>& call, Code code) {
    try {
        call();
    } catch (const Error& error) {
        CHECK(error.code() == code);
        return error.what();
    }
    FAIL("no error");
    return {};
}

}  // namespace

TEST_CASE("scores are those of the definition") {
    const std::vector<float> rows{3, 4, 0, 1, -2, 0};  // three rows of two
    const std::vector<std::int64_t> ids{10, 20, 30};
    const std::vector<float> query{2, 0};
    struct Expected {
        Metric metric;
        std::vector<std::pair<std::int64_t, float>> hits;
    };
    const Expected expected[] = {{Metric::kCosine, {{10, 0.6F}, {20, 0.0F}, {30, -1.0F}}},
                                 {Metric::kInnerProduct, {{10, 6.0F}, {20, 0.0F}, {30, -4.0F}}},
                                 {Metric::kL2, {{20, -5.0F}, {30, -16.0F}, {10, -17.0F}}}};
    for (const auto& [metric, hits] : expected) {
        for (const bool sealed : {false, true}) {
            VectorIndex index(small_options(metric, 2));
            index.add(ids, rows);
            if (sealed) index.seal();
            const auto found = index.search(query, 10);
            REQUIRE(found.size() == 3);
            for (std::size_t i = 0; i < 3; ++i) {
                CHECK(found[i].id == hits[i].first);
                CHECK(found[i].score == Approx(hits[i].second).margin(1e-6));
            }
        }
    }
}

TEST_CASE("equal scores are ordered by id") {
    VectorIndex index(small_options(Metric::kCosine, 2));
    index.add(std::vector<std::int64_t>{5, -3, 9, 1}, std::vector<float>{1, 0, 2, 0, 3, 0, 4, 0});
    const auto found = index.search(std::vector<float>{1, 0}, 3);
    REQUIRE(found.size() == 3);
    CHECK(found[0].id == -3);
    CHECK(found[1].id == 1);
    CHECK(found[2].id == 5);
}

TEST_CASE("get gives back what was added") {
    const auto vectors = rag::test::random_vectors(100, 7, 1);
    for (const Metric metric : {Metric::kCosine, Metric::kInnerProduct, Metric::kL2}) {
        VectorIndex index(small_options(metric, 7));
        index.add(rag::test::consecutive_ids(100), vectors);
        std::vector<float> out(7);
        for (std::size_t row = 0; row < 100; ++row) {
            REQUIRE(index.get(static_cast<std::int64_t>(row), out));
            for (std::size_t i = 0; i < 7; ++i) {
                const float given = vectors[row * 7 + i];
                CHECK(std::abs(out[i] - given) <= 1e-6F * std::abs(given));
                if (metric != Metric::kCosine) CHECK(out[i] == given);
            }
        }
        CHECK_FALSE(index.get(100, out));
        CHECK_THAT(error_of([&] { index.get(1, std::span(out).first(3)); }, Code::kInvalidArgument), Contains("dimension is 7"));
    }
}

TEST_CASE("bad rows are named and nothing is added") {
    const float infinity = std::numeric_limits<float>::infinity();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    VectorIndex index(small_options(Metric::kCosine, 2));
    index.add(std::vector<std::int64_t>{1}, std::vector<float>{1, 1});
    const auto refuse = [&](std::vector<std::int64_t> ids, std::vector<float> vectors, Code code) {
        const std::string text = error_of([&] { index.add(ids, vectors); }, code);
        CHECK(index.size() == 1);
        CHECK(index.ids() == std::vector<std::int64_t>{1});
        CHECK(index.stats().live == 1);
        return text;
    };
    CHECK_THAT(refuse({2, 3}, {1, 0, 1, nan}, Code::kInvalidArgument), Contains("vector 1 holds nan at position 1"));
    CHECK_THAT(refuse({2, 3}, {1, 0, -infinity, 0}, Code::kInvalidArgument), Contains("vector 1 holds -inf at position 0"));
    CHECK_THAT(refuse({2, 3}, {1, 0, 0, 0}, Code::kInvalidArgument), Contains("vector 1 has length 0"));
    CHECK_THAT(refuse({2}, {1e-42F, 0}, Code::kInvalidArgument), Contains("no direction"));
    CHECK_THAT(refuse({2}, {3e38F, 3e38F}, Code::kInvalidArgument), Contains("too long"));
    CHECK_THAT(refuse({2}, {1, 0, 1}, Code::kInvalidArgument), Contains("3 values are given for 1 rows of dimension 2"));
    CHECK_THAT(refuse({2, 1}, {1, 0, 0, 1}, Code::kAlreadyExists), Contains("id 1 of row 1"));
    CHECK_THAT(refuse({7, 2, 7}, {1, 0, 0, 1, 1, 1}, Code::kAlreadyExists), Contains("id 7 is given twice, in rows 0 and 2"));
    for (const auto& query : {std::vector<float>{1, nan}, std::vector<float>{0, 0}, std::vector<float>{1}}) {
        CHECK(error_of([&] { index.search(query, 1); }, Code::kInvalidArgument).find("query") != std::string::npos);
    }
    VectorIndex products(small_options(Metric::kInnerProduct, 2));
    error_of([&] { products.add(std::vector<std::int64_t>{1}, std::vector<float>{3e38F, 0}); }, Code::kInvalidArgument);
    products.add(std::vector<std::int64_t>{1}, std::vector<float>{0, 0});  // zero has an inner product
    CHECK(products.search(std::vector<float>{1, 2}, 5).size() == 1);
}

TEST_CASE("options out of range are named") {
    const auto refuse = [](auto change, const char* name) {
        VectorIndexOptions options = small_options(Metric::kL2);
        change(options);
        CHECK_THAT(error_of([&] { VectorIndex index(options); }, Code::kInvalidArgument), Contains(name));
    };
    refuse([](auto& o) { o.dimension = 0; }, "dimension is 0");
    refuse([](auto& o) { o.dimension = 65537; }, "65536");
    refuse([](auto& o) { o.m = 1; }, "m is 1");
    refuse([](auto& o) { o.m = 10001; }, "m is 10001");
    refuse([](auto& o) { o.ef_construction = 0; }, "ef_construction");
    refuse([](auto& o) { o.metric = static_cast<Metric>(3); }, "metric");
    refuse([](auto& o) { o.type = static_cast<VectorType>(2); }, "type");
    refuse([](auto& o) { o.tail_limit = 0; }, "tail_limit");
}

TEST_CASE("empty index, k of zero, k beyond size") {
    VectorIndex index(small_options(Metric::kL2));
    const std::vector<float> query(8, 1.0F);
    CHECK(index.search(query, 5).empty());
    index.seal();
    index.compact();
    index.add({}, {});
    CHECK(index.size() == 0);
    index.add(rag::test::consecutive_ids(3), rag::test::random_vectors(3, 8, 1));
    CHECK(index.search(query, 0).empty());
    CHECK(index.search(query, std::numeric_limits<std::size_t>::max()).size() == 3);
    CHECK(index.search(query, 2, std::numeric_limits<std::size_t>::max()).size() == 2);
}

TEST_CASE("remove counts what was there") {
    VectorIndex index(small_options(Metric::kL2));
    index.add(rag::test::consecutive_ids(10), rag::test::random_vectors(10, 8, 1));
    CHECK(index.remove(std::vector<std::int64_t>{3, 3, 99, 4}) == 2);
    CHECK(index.size() == 8);
    CHECK_FALSE(index.contains(3));
    index.add(std::vector<std::int64_t>{3}, rag::test::random_vectors(1, 8, 2));
    CHECK(index.contains(3));
    CHECK(index.remove(index.ids()) == 9);
    CHECK(index.search(std::vector<float>(8, 1.0F), 5).empty());
    index.compact();
    CHECK(index.stats().vector_bytes == 0);
}

TEST_CASE("a stop before adding adds nothing, one while sealing keeps the rows") {
    VectorIndex index(small_options(Metric::kL2));
    const auto vectors = rag::test::random_vectors(500, 8, 1);
    const auto ids = rag::test::consecutive_ids(500);
    CHECK_THROWS_AS(index.add(ids, vectors, [](auto, auto) { return false; }), Stopped);
    CHECK(index.size() == 0);
    CHECK_THROWS_AS(index.add(ids, vectors, [](auto done, auto) { return done < 100; }), Stopped);
    CHECK(index.size() == 500);
    CHECK(index.stats().segments == 0);
    CHECK(index.search(rag::test::row_of(vectors, 8, 77), 1).front().id == 77);
    std::uint64_t last = 0;
    index.seal([&](std::uint64_t done, std::uint64_t total) {
        CHECK(total == 500);
        CHECK(done >= last);
        last = done;
        return true;
    });
    CHECK(last == 500);
    CHECK(index.stats().segments == 1);
    CHECK(index.stats().tail_rows == 0);
}

TEST_CASE("filters: always min(k, allowed) rows, exact when few are allowed") {
    constexpr std::size_t kRows = 3000;
    constexpr std::size_t kDimension = 24;
    const auto vectors = rag::test::clustered_vectors(kRows, kDimension, 50, 4);
    for (const VectorType type : {VectorType::kFloat32, VectorType::kInt8}) {
        auto options = small_options(Metric::kCosine, kDimension);
        options.type = type;
        VectorIndex index(options);
        index.add(rag::test::consecutive_ids(kRows), vectors);
        index.add(rag::test::consecutive_ids(20, kRows), rag::test::random_vectors(20, kDimension, 5));
        for (const std::int64_t every : {1, 2, 10, 50, 1000, 3000}) {
            std::vector<std::int64_t> multiples;
            for (std::int64_t id = 0; id < static_cast<std::int64_t>(kRows) + 20; id += every) multiples.push_back(id);
            const IdSet filter(multiples);
            std::size_t found_right = 0;
            std::size_t asked = 0;
            for (std::size_t query = 0; query < 50; ++query) {
                const auto vector = rag::test::row_of(vectors, kDimension, query * 7);
                const auto exact = index.search_exact(vector, 10, &filter);
                const auto found = index.search(vector, 10, 0, &filter);
                const auto allowed = static_cast<std::size_t>((static_cast<std::int64_t>(kRows) + 19) / every + 1);
                REQUIRE(exact.size() == std::min<std::size_t>(10, allowed));
                REQUIRE(found.size() == exact.size());
                std::set<std::int64_t> right;
                for (const auto& hit : exact) right.insert(hit.id);
                for (const auto& hit : found) {
                    CHECK(hit.id % every == 0);
                    found_right += right.count(hit.id);
                }
                asked += exact.size();
            }
            INFO("every " << every);
            CHECK(static_cast<double>(found_right) >= 0.99 * static_cast<double>(asked));
        }
        const IdSet none;
        CHECK(index.search(rag::test::row_of(vectors, kDimension, 0), 10, 0, &none).empty());
        CHECK(index.search(rag::test::row_of(vectors, kDimension, 0), 1).front().id == 0);
    }
}
