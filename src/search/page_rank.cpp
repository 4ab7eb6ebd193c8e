#include "search/page_rank.hpp"

#include <cmath>
#include <numeric>

#include "core/error.hpp"

namespace rag::core {
namespace {

/// Neighbours of node i: [first[i], first[i + 1]) of `to` and `share`, the probability of going there.
struct Transitions {
    std::vector<std::size_t> first;
    std::vector<std::uint32_t> to;
    std::vector<double> share;
};

bool counts(const WeightedEdge& edge) {
    return edge.from != edge.to && edge.weight > 0;
}

Transitions transitions_of(std::size_t nodes, const std::vector<WeightedEdge>& edges) {
    Transitions out;
    out.first.assign(nodes + 1, 0);
    std::vector<double> weights(nodes, 0.0);
    for (const auto& edge : edges) {
        if (edge.from >= nodes || edge.to >= nodes)
            fail(Code::kInternal, "an edge from {} to {} in a graph of {} nodes", edge.from, edge.to, nodes);
        if (!counts(edge)) continue;
        for (const std::uint32_t node : {edge.from, edge.to}) {
            ++out.first[node + 1];
            weights[node] += edge.weight;
        }
    }
    std::partial_sum(out.first.begin(), out.first.end(), out.first.begin());
    out.to.resize(out.first.back());
    out.share.resize(out.first.back());
    auto next = out.first;
    const auto put = [&](std::uint32_t from, std::uint32_t to, double weight) {
        out.to[next[from]] = to;
        out.share[next[from]++] = weight / weights[from];
    };
    for (const auto& edge : edges) {
        if (!counts(edge)) continue;
        put(edge.from, edge.to, edge.weight);
        put(edge.to, edge.from, edge.weight);
    }
    return out;
}

}  // namespace

std::vector<double> personalised_page_rank(const std::vector<double>& seeds, const std::vector<WeightedEdge>& edges,
                                           const PageRankOptions& options) {
    if (!(options.damping >= 0.0 && options.damping < 1.0))
        fail(Code::kInvalidArgument, "the damping is {}, it must be at least 0 and below 1", options.damping);
    const double total = std::accumulate(seeds.begin(), seeds.end(), 0.0);
    if (!(total > 0.0)) fail(Code::kInternal, "a walk without a seed");
    const Transitions transitions = transitions_of(seeds.size(), edges);
    std::vector<double> rank(seeds.size());
    for (std::size_t i = 0; i < seeds.size(); ++i) rank[i] = seeds[i] / total;
    const std::vector<double> start = rank;
    std::vector<double> next(seeds.size());
    for (std::size_t step = 0; step < options.most_steps; ++step) {
        double restart = 1.0 - options.damping;
        std::fill(next.begin(), next.end(), 0.0);
        for (std::size_t i = 0; i < rank.size(); ++i) {
            const std::size_t begin = transitions.first[i];
            const std::size_t end = transitions.first[i + 1];
            if (begin == end) restart += options.damping * rank[i];
            for (std::size_t at = begin; at < end; ++at)
                next[transitions.to[at]] += options.damping * rank[i] * transitions.share[at];
        }
        double change = 0.0;
        for (std::size_t i = 0; i < rank.size(); ++i) {
            next[i] += restart * start[i];
            change += std::abs(next[i] - rank[i]);
        }
        rank.swap(next);
        if (change < options.tolerance) break;
    }
    return rank;
}

}  // namespace rag::core
