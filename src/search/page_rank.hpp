// Personalised PageRank (Haveliwala, "Topic-Sensitive PageRank", WWW 2002) over a small graph: where a walker is found who starts
// at the seeds, follows edges by their weights, and with probability 1 - damping (and at nodes without edges) starts again. Pure
// function, double precision; the tests compare it with a dense solution of the linear system.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rag::core {

/// Nodes are 0 to seeds.size() - 1. An edge is walked both ways; one from a node to itself, or without weight, is passed over.
struct WeightedEdge {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    double weight = 1.0;  // above 0
};

struct PageRankOptions {
    double damping = 0.85;    // [0, 1)
    double tolerance = 1e-9;  // of the sum of changes, at which it ends
    std::size_t most_steps = 200;
};

/// [nodes], adding up to 1. `seeds`: [nodes], 0 or more, not all 0.
std::vector<double> personalised_page_rank(const std::vector<double>& seeds, const std::vector<WeightedEdge>& edges,
                                           const PageRankOptions& options = {});

}  // namespace rag::core
