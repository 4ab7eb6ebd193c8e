// Graphs as they are built: the same wherever the values of their rows lie meanwhile.
#include <catch2/catch.hpp>
#include <memory>

#include "index/vector/codes.hpp"
#include "index/vector/graph.hpp"
#include "index/vector/rows.hpp"
#include "vectors.hpp"

using namespace rag::core;

namespace {

constexpr std::size_t kDimension = 40;

/// The first `count` of fixed rows, with their codes.
std::unique_ptr<Rows> rows_of(std::size_t count) {
    const auto vectors = rag::test::random_vectors(count, kDimension, 12);
    auto rows = std::make_unique<Rows>(kDimension, count, IdOrder::kAscending, RowCodes::kKept);
    for (std::size_t i = 0; i < count; ++i) {
        rows->append(static_cast<std::int64_t>(i), vectors.data() + i * kDimension, 1, 1);
    }
    return rows;
}

std::vector<std::uint32_t> links_of(const Graph& graph) {
    std::vector<std::uint32_t> all{graph.entry, graph.top_level};
    all.insert(all.end(), graph.level0, graph.level0 + graph.rows() * 2 * graph.m);
    all.insert(all.end(), graph.upper.begin(), graph.upper.end());
    all.insert(all.end(), graph.levels.begin(), graph.levels.end());
    return all;
}

}  // namespace

TEST_CASE("a graph is the same whether the values of its rows are copied beside its links or not") {
    const Metric metric = GENERATE(Metric::kL2, Metric::kInnerProduct);
    const bool coded = GENERATE(false, true);
    const auto few = rows_of(700);
    const auto all = rows_of(1500);
    const CodeRows few_codes(*few->codes());
    const CodeRows all_codes(*all->codes());
    GraphOptions options{metric, 8, 60, 5, 1};
    std::vector<std::vector<std::uint32_t>> links;
    // All copied; the base copied and its extension not; neither.
    for (const std::size_t bytes : {std::size_t{1} << 20, std::size_t{60'000}, std::size_t{0}}) {
        options.copied_bytes = bytes;
        const Graph base = build_graph(*few, coded ? &few_codes : nullptr, nullptr, options, {});
        links.push_back(links_of(build_graph(*all, coded ? &all_codes : nullptr, &base, options, {})));
    }
    CHECK(links[0] == links[1]);
    CHECK(links[0] == links[2]);
}
