// Several segments of a vector index made into one: the copy of their rows, and which copies have died since. The rows of a base,
// whose graph is kept, come first and as they are; then the live rows of the others in the order of ids.
// A Rebuild belongs to one thread; the sources may lose rows at any time meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/cancel.hpp"
#include "index/vector/merge_policy.hpp"

namespace rag::core {

class Rebuild {
  public:
    /// Notes which rows live now; those who add and remove rows must be kept out.
    explicit Rebuild(const MergePlan& plan);
    /// Copies them; polls `progress`. A whole single source without tombstones is not copied but shared. `codes`: of the copies.
    void copy(std::size_t dimension, RowCodes codes, const Progress& progress);

    const std::vector<VectorSegment>& sources() const noexcept { return sources_; }
    const VectorSegment* base() const noexcept { return has_base_ ? &sources_.front() : nullptr; }
    const std::shared_ptr<Rows>& rows() const noexcept { return rows_; }
    /// Marks copies dead whose originals died after they were copied. Those who remove rows must be kept out meanwhile, until
    /// the copies have taken the originals' place.
    void repeat_removals() noexcept;

  private:
    void copy_row(std::size_t source, std::size_t row) noexcept;
    std::vector<VectorSegment> sources_;
    bool has_base_;
    std::vector<FrozenSegment> noted_;                // the sources as they were; empty: shared
    std::vector<std::vector<std::uint32_t>> copies_;  // of each source: where each row went, kNoRow for dead ones
    std::shared_ptr<Rows> rows_;
};

}  // namespace rag::core
