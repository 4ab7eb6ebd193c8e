// A finished HNSW graph (Malkov and Yashunin, 2016, arXiv:1603.09320), frozen out of hnswlib, which builds it: flat arrays that
// are searched, written and mapped as they are. hnswlib's own form keeps links between vectors in one block and the upper
// layers in one allocation a node; frozen, both stay on cache lines. The links of layer 0 may lie in a mapped file: whoever
// follows them stops at the first that is no row, so that bytes which change under us lead nowhere else. Immutable after it is
// built or checked: any thread may search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "index/vector/codes.hpp"
#include "index/vector/rows.hpp"

namespace rag::core {

struct GraphOptions {
    Metric metric = Metric::kCosine;
    std::size_t m = 16;
    std::size_t ef_construction = 200;
    std::uint64_t seed = 100;
    std::size_t threads = 1;
    /// While a graph is built its rows' values are copied beside their links, up to so many bytes; the graph is the same.
    std::size_t copied_bytes = std::size_t{128} << 20;
};

struct Graph {
    std::size_t m = 0;
    std::uint32_t entry = kNoRow;
    std::uint32_t top_level = 0;
    std::vector<std::uint8_t> levels;        // [rows] highest layer of each row
    AlignedArray<std::uint32_t> own_level0;  // empty: level0 is in a file
    const std::uint32_t* level0 = nullptr;   // [rows, 2m] neighbours, ended by kNoRow when fewer
    std::shared_ptr<const void> owner;       // of the file
    std::vector<std::uint32_t> upper_begin;  // [rows] index of a row's first upper list, in lists; kNoRow for level 0
    std::vector<std::uint32_t> upper;        // [lists, m] neighbours of layers 1, 2, ... of each row, ended as above
    // Rows that no way from the entry reaches on layer 0 (hnswlib's pruning can cut the last link to a row): always scored.
    std::vector<std::uint32_t> stragglers;
    // The beam that walks over this need (calibrate.hpp), and of how many rows that was found; 0: nobody has looked yet.
    std::uint32_t beam = 0;
    std::uint32_t beam_rows = 0;

    std::size_t rows() const noexcept { return levels.size(); }
    const std::uint32_t* neighbours0(std::uint32_t row) const noexcept { return level0 + static_cast<std::size_t>(row) * 2 * m; }
    const std::uint32_t* neighbours(std::uint32_t row, std::size_t level) const noexcept {
        return upper.data() + (static_cast<std::size_t>(upper_begin[row]) + level - 1) * m;
    }

    /// Fills upper_begin from levels; returns the number of upper lists.
    std::size_t index_upper();
    /// Rows that stragglers must hold. Polls `progress`.
    std::vector<std::uint32_t> unreached(const Progress& progress = {}) const;
    /// Checks every count, level and neighbour; false with a reason that names the row and the values.
    bool check(std::string& why) const;
    std::size_t bytes() const noexcept;
};

/// Builds a graph over all rows (dead ones too); by the int8 codes when `codes` is not null. `base` (may be null) is the graph
/// of the first base->rows() of them, which is copied and not built again: a copied row costs a hundredth of an inserted one.
/// With one thread the result depends only on rows, base and options; with several also on the order in which threads meet.
/// Polls `progress` every few rows. Throws what progress throws, kOutOfMemory, kInternal with hnswlib's text.
Graph build_graph(const Rows& rows, const CodeRows* codes, const Graph* base, const GraphOptions& options,
                  const Progress& progress);

}  // namespace rag::core
