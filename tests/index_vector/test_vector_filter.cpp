// The contract of filtered search: at every selectivity the rows that an exact scan of the allowed ones would give, whichever way
// the search goes (through the graph, over the rows that are not allowed, or by a scan).
#include <catch2/catch.hpp>
#include <set>

#include "index/vector/graph_search.hpp"
#include "index/vector/vector_index.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

IdSet random_share(std::span<const std::int64_t> ids, double share, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::int64_t> allowed;
    for (const std::int64_t id : ids) {
        if (std::uniform_real_distribution<double>()(random) < share) allowed.push_back(id);
    }
    return IdSet(allowed);
}

}  // namespace

TEST_CASE("filtered recall is at least 0.99 at every selectivity, under tombstones, in sealed rows and in the tail") {
    constexpr std::size_t kDimension = 24;
    constexpr std::size_t kRows = 8000;
    VectorIndexOptions options;
    options.dimension = kDimension;
    options.tail_limit = 2 * kRows;
    options.ef_construction = 60;
    options.type = GENERATE(VectorType::kFloat32, VectorType::kInt8);
    const bool in_order = GENERATE(true, false);
    VectorIndex index(options);
    auto ids = rag::test::consecutive_ids(kRows, -500);
    if (!in_order) std::shuffle(ids.begin(), ids.end(), std::mt19937_64(3));
    const auto vectors = rag::test::clustered_vectors(kRows, kDimension, 100, 11);
    const std::size_t sealed = kRows - 1000;
    index.add(std::span(ids).first(sealed), std::span(vectors).first(sealed * kDimension));
    index.seal();
    index.add(std::span(ids).subspan(sealed), std::span(vectors).subspan(sealed * kDimension));
    for (std::size_t i = 0; i < kRows; i += 10) index.remove(std::span(ids).subspan(i, 1));
    const auto queries = rag::test::clustered_vectors(100, kDimension, 100, 11);
    for (const double share : {1.0, 0.9, 0.5, 0.3, 0.2, 0.1, 0.02, 0.001, 0.0002}) {
        const IdSet filter = random_share(ids, share, 5);
        // A narrow beam keeps a filter of half the rows from being scanned.
        const std::size_t ef = share >= 0.5 ? 40 : 0;
        std::size_t right = 0;
        std::size_t all = 0;
        for (std::size_t i = 0; i < 100; ++i) {
            const auto query = rag::test::row_of(queries, kDimension, i);
            std::set<std::int64_t> truth;
            for (const Neighbour& hit : index.search_exact(query, 10, &filter)) truth.insert(hit.id);
            const auto hits = index.search(query, 10, ef, &filter);
            CHECK(hits.size() == truth.size());
            for (const Neighbour& hit : hits) {
                CHECK(filter.contains(hit.id));
                right += truth.count(hit.id);
            }
            all += truth.size();
        }
        CAPTURE(share, ef);
        CHECK(static_cast<double>(right) >= 0.99 * static_cast<double>(all));
    }
    const IdSet none;
    CHECK(index.search(rag::test::row_of(queries, kDimension, 0), 10, 0, &none).empty());
}

TEST_CASE("a walk over rows that are not allowed gives allowed rows alone, the nearest first") {
    constexpr std::size_t kDimension = 16;
    constexpr std::size_t kRows = 3000;
    Rows rows(kDimension, kRows, IdOrder::kAscending);
    const auto vectors = rag::test::random_vectors(kRows, kDimension, 2);
    for (std::size_t i = 0; i < kRows; ++i) rows.append(static_cast<std::int64_t>(i), vectors.data() + i * kDimension, 1, 1);
    const Graph graph = build_graph(rows, nullptr, nullptr, {Metric::kL2, 16, 100, 1, 1}, {});
    const IdSet filter = random_share(rag::test::consecutive_ids(kRows), 0.1, 9);
    const RowFilter allowed(rows, &filter);
    Scratch scratch;
    const auto query = rag::test::random_vectors(1, kDimension, 77);
    const QueryDistance distance(Metric::kL2, rows, query.data());
    for (const Passing passing : {Passing::kThrough, Passing::kOver}) {
        REQUIRE(search_graph_filtered(graph, distance, 50, allowed, passing, kRows, scratch));
        CHECK(scratch.pool.size() == 50);
        CHECK(std::is_sorted(scratch.pool.begin(), scratch.pool.end()));
        for (const GraphCandidate& candidate : scratch.pool) CHECK(allowed(candidate.row));
        CHECK_FALSE(search_graph_filtered(graph, distance, 50, allowed, passing, 10, scratch));
    }
}

TEST_CASE("rows are found by a list of ids as one by one") {
    const IdOrder order = GENERATE(IdOrder::kAscending, IdOrder::kAny);
    Rows rows(1, 400, order);
    std::mt19937_64 random(4);
    std::int64_t id = -300;
    const float value = 1;
    for (int i = 0; i < 400; ++i) rows.append(id += 1 + static_cast<std::int64_t>(random() % 4), &value, 1, 1);
    for (std::size_t row = 0; row < 400; row += 7) rows.kill(row);
    std::vector<std::int64_t> ids;
    std::vector<std::uint32_t> expected;
    for (std::int64_t asked = -400; asked < id + 50; asked += 1 + static_cast<std::int64_t>(random() % 3)) {
        ids.push_back(asked);
        if (const std::uint32_t row = rows.find(asked); row != kNoRow) expected.push_back(row);
    }
    std::vector<std::uint32_t> found;
    rows.find_all(ids, found);
    CHECK(found == expected);
    CHECK(found.size() > 50);
    rows.find_all({}, found);
    CHECK(found.empty());
}
