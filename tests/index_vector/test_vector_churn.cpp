// Churn, the recipe by which other stores lose rows (chroma-core/chroma#7758): insert 4,000, delete half of all, replace 30% of
// the rest, ten times. Then every live row must be found by its own vector, no deleted one may be, and the file must be about as
// large as that of a fresh index of the same rows.
#include <catch2/catch.hpp>
#include <map>

#include "index/vector/vector_index.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

constexpr std::size_t kDimension = 24;
constexpr std::size_t kInserts = 4000;
constexpr std::size_t kRounds = 10;
constexpr std::size_t kNeighbours = 200;
constexpr std::size_t kEf = 1024;

using Live = std::map<std::int64_t, std::vector<float>>;

void put(VectorIndex& index, Live& live, std::span<const std::int64_t> ids, std::uint64_t seed) {
    const auto vectors = rag::test::clustered_vectors(ids.size(), kDimension, 50, seed);
    index.add(ids, vectors);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto vector = rag::test::row_of(vectors, kDimension, i);
        live[ids[i]] = {vector.begin(), vector.end()};
    }
}

std::vector<std::int64_t> sample(const Live& live, double share, std::mt19937_64& random) {
    std::vector<std::int64_t> ids;
    for (const auto& [id, vector] : live) {
        if (std::uniform_real_distribution<double>()(random) < share) ids.push_back(id);
    }
    return ids;
}

}  // namespace

TEST_CASE("after churn every live row is found, no deleted one is, and the space comes back") {
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.type = GENERATE(VectorType::kFloat32, VectorType::kInt8);
    options.ef_construction = 100;
    VectorIndex index(options);
    std::mt19937_64 random(17);
    Live live;
    std::int64_t next_id = 0;
    for (std::size_t round = 0; round < kRounds; ++round) {
        put(index, live, rag::test::consecutive_ids(kInserts, next_id), 3 * round);
        next_id += static_cast<std::int64_t>(kInserts);
        const auto gone = sample(live, 0.5, random);
        REQUIRE(index.remove(gone) == gone.size());
        for (const std::int64_t id : gone) live.erase(id);
        const auto replaced = sample(live, 0.3, random);
        REQUIRE(index.remove(replaced) == replaced.size());
        put(index, live, replaced, 1000 + round);
    }
    REQUIRE(index.size() == live.size());
    std::size_t lost = 0;
    std::size_t ghosts = 0;
    for (const auto& [id, vector] : live) {
        const auto hits = index.search(vector, kNeighbours, kEf);
        lost += hits.empty() || hits.front().id != id ? 1U : 0U;
        for (const Neighbour& hit : hits) ghosts += live.contains(hit.id) ? 0U : 1U;
        REQUIRE(hits.size() == kNeighbours);
    }
    CHECK(lost == 0);
    CHECK(ghosts == 0);
    std::string why;
    CHECK(index.verify(why));

    VectorIndex fresh(options);
    for (const auto& [id, vector] : live) fresh.add(std::span(&id, 1), vector);
    fresh.seal();
    CHECK(static_cast<double>(index.serialize().size()) <= 1.3 * static_cast<double>(fresh.serialize().size()));
}
