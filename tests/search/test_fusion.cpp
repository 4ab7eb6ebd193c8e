// Fusion on numbers that can be checked by hand.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/error.hpp"
#include "search/fusion.hpp"

using namespace rag::core;

namespace {
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
}

TEST_CASE("weighted fusion stretches both scores and adds them") {
    const auto hits = fuse({{1, 0.9F, 0.0F}, {2, 0.5F, 10.0F}, {3, 0.1F, 5.0F}}, 10);
    REQUIRE(hits.size() == 3);
    CHECK(hits[0].id == 2);
    CHECK(hits[0].score == Approx(0.5 * 0.5 / 0.9 + 0.5));
    CHECK(hits[1].id == 1);
    CHECK(hits[1].score == Approx(0.5));
    CHECK(hits[2].id == 3);
    CHECK(hits[2].score == Approx(0.5 * 0.1 / 0.9 + 0.25));
    for (const auto& hit : hits) CHECK(hit.score == hit.vector_part + hit.bm25_part);
    CHECK(hits[0].vector == 0.5F);
    CHECK(hits[0].bm25 == 10.0F);
}

TEST_CASE("the order is by score") {
    const auto hits = fuse({{1, 0.9F, 0.0F}, {2, 0.85F, 10.0F}, {3, 0.1F, 5.0F}}, 2);
    REQUIRE(hits.size() == 2);
    CHECK(hits[0].id == 2);
    CHECK(hits[1].id == 1);
}

TEST_CASE("what one scorer does not know earns nothing there") {
    const auto hits = fuse({{1, kNone, 8.0F}, {2, 0.2F, 0.0F}, {3, -0.4F, 0.0F}}, 10);
    CHECK(hits[0].id == 1);
    CHECK(hits[0].score == Approx(0.5));
    CHECK(std::isnan(hits[0].vector));
    CHECK(hits[1].id == 2);
    CHECK(hits[1].score == Approx(0.5));
    CHECK(hits[2].score == 0.0F);
}

TEST_CASE("equal scores and single candidates") {
    CHECK(fuse({}, 5).empty());
    CHECK(fuse({{7, 0.3F, 2.0F}}, 5).front().score == Approx(1.0));
    CHECK(fuse({{7, 0.3F, 0.0F}}, 5).front().score == Approx(0.5));
    const auto ties = fuse({{9, 0.3F, 2.0F}, {4, 0.3F, 2.0F}, {6, 0.3F, 2.0F}}, 5);
    CHECK(ties[0].id == 4);
    CHECK(ties[1].id == 6);
    CHECK(ties[2].id == 9);
}

TEST_CASE("the weight is a parameter and is checked") {
    const std::vector<FusionCandidate> candidates = {{1, 0.9F, 0.0F}, {2, 0.1F, 10.0F}};
    CHECK(fuse(candidates, 1, {FusionMethod::kWeighted, 1.0F}).front().id == 1);
    CHECK(fuse(candidates, 1, {FusionMethod::kWeighted, 0.0F}).front().id == 2);
    CHECK_THROWS_AS(fuse(candidates, 1, {FusionMethod::kWeighted, 1.5F}), Error);
    CHECK_THROWS_AS(fuse(candidates, 1, {FusionMethod::kWeighted, kNone}), Error);
}

TEST_CASE("reciprocal ranks") {
    const auto hits =
        fuse({{1, 0.9F, 1.0F}, {2, 0.5F, 9.0F}, {3, 0.1F, 0.0F}, {4, kNone, 3.0F}}, 10, {FusionMethod::kReciprocalRank});
    REQUIRE(hits.size() == 4);
    CHECK(hits[0].id == 2);
    CHECK(hits[0].score == Approx(1.0 / 62 + 1.0 / 61));
    CHECK(hits[1].id == 1);
    CHECK(hits[1].score == Approx(1.0 / 61 + 1.0 / 63));
    CHECK(hits[2].id == 4);
    CHECK(hits[2].score == Approx(1.0 / 62));
    CHECK(hits[3].id == 3);
    CHECK(hits[3].score == Approx(1.0 / 63));
}
