// Sets of ids against std::set: members, counts, algebra, dense and sparse, at both ends of int64.
#include <algorithm>
#include <catch2/catch.hpp>
#include <iterator>
#include <limits>
#include <random>
#include <set>

#include "core/error.hpp"
#include "core/id_set.hpp"

using rag::core::IdSet;

namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::vector<std::int64_t> random_ids(std::mt19937_64& random, std::uint64_t range, std::size_t count) {
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < count; ++i) ids.push_back(static_cast<std::int64_t>(random() % range) - 20);
    return ids;
}

void check_equal(const IdSet& set, const std::set<std::int64_t>& twin) {
    REQUIRE(set.size() == twin.size());
    REQUIRE(set.empty() == twin.empty());
    const auto ids = set.ids();
    REQUIRE(std::equal(ids.begin(), ids.end(), twin.begin(), twin.end()));
    for (const auto id : twin) {
        for (const auto near : {id == kLeast ? id : id - 1, id, id == kMost ? id : id + 1})
            REQUIRE(set.contains(near) == twin.contains(near));
    }
    for (const auto id : {kLeast, std::int64_t{-1}, std::int64_t{0}, kMost}) REQUIRE(set.contains(id) == twin.contains(id));
}

}  // namespace

TEST_CASE("a set of ids knows its members, dense or sparse") {
    std::mt19937_64 random(3);
    for (const std::uint64_t range : {std::uint64_t{50}, std::uint64_t{5000}, std::uint64_t{200000}, std::uint64_t{1} << 33,
                                      std::uint64_t{1} << 40, std::uint64_t{1} << 62}) {
        for (const std::size_t count : {1, 300, 20000}) {
            const auto ids = random_ids(random, range, count);
            check_equal(IdSet(ids), {ids.begin(), ids.end()});
        }
    }
    check_equal(IdSet(), {});
    check_equal(IdSet(std::vector<std::int64_t>{kMost, 0, kLeast}), {kLeast, 0, kMost});
}

TEST_CASE("sets are counted, cut and taken from one another") {
    std::mt19937_64 random(4);
    for (int round = 0; round < 60; ++round) {
        const std::uint64_t range = round % 2 == 0 ? 2000 : std::uint64_t{1} << 34;
        const auto a = random_ids(random, range, 500 + random() % 2000);
        const auto b = random_ids(random, range, round % 3 == 0 ? 0 : 1000);
        const std::set<std::int64_t> set_a(a.begin(), a.end());
        const std::set<std::int64_t> set_b(b.begin(), b.end());
        std::set<std::int64_t> both;
        std::set<std::int64_t> only_a;
        std::set_intersection(set_a.begin(), set_a.end(), set_b.begin(), set_b.end(), std::inserter(both, both.end()));
        std::set_difference(set_a.begin(), set_a.end(), set_b.begin(), set_b.end(), std::inserter(only_a, only_a.end()));
        check_equal(IdSet::intersection(IdSet(a), IdSet(b)), both);
        check_equal(IdSet::difference(IdSet(a), IdSet(b)), only_a);
        const auto first = static_cast<std::int64_t>(random() % range);
        const auto last = first + static_cast<std::int64_t>(random() % range) - 5;
        const auto between = last < first ? 0 : std::distance(set_a.lower_bound(first), set_a.upper_bound(last));
        CHECK(IdSet(a).count(first, last) == static_cast<std::size_t>(between));
    }
    const IdSet extremes(std::vector<std::int64_t>{kLeast, 0, kMost});
    CHECK(extremes.count(kLeast, kMost) == 3);
    CHECK(extremes.count(0, kMost) == 2);
    CHECK(extremes.count(1, 0) == 0);
}

TEST_CASE("a range holds its ends and costs next to nothing") {
    const IdSet range = IdSet::range(-3, 70000);
    CHECK(range.size() == 70004);
    CHECK(range.contains(-3));
    CHECK(range.contains(70000));
    CHECK_FALSE(range.contains(-4));
    CHECK_FALSE(range.contains(70001));
    CHECK(range.bytes() < 20000);
    CHECK(IdSet::range(5, 4).empty());
    CHECK(IdSet::range(kMost, kMost).ids() == std::vector<std::int64_t>{kMost});
    CHECK_THROWS_AS(IdSet::range(kLeast, kMost), rag::core::Error);
}

TEST_CASE("ids of a range are those that lie in it, dense or sparse") {
    constexpr std::int64_t kFar = std::int64_t{1} << 40;
    for (const std::int64_t step : {std::int64_t{1}, std::int64_t{3}, std::int64_t{1} << 31, kFar}) {
        std::vector<std::int64_t> all;
        for (std::int64_t i = -300; i < 300; ++i) all.push_back(i * step);
        const IdSet set(all);
        for (const auto& [first, last] : {std::pair{-5 * step, 7 * step}, std::pair{-5 * step + 1, 7 * step - 1},
                                          std::pair{-1000 * step, 1000 * step}, std::pair{7 * step, -5 * step}}) {
            std::vector<std::int64_t> expected;
            for (const std::int64_t id : all) {
                if (id >= first && id <= last) expected.push_back(id);
            }
            CHECK(set.ids(first, last) == expected);
            CHECK(set.count(first, last) == expected.size());
        }
    }
}
