// The rows of one part of a vector index: ids, vectors padded and aligned to 64 bytes, lengths, tombstones, and where each id is.
// Appending is for one writer; readers on other threads see the rows below size(), and may read while the writer appends or
// marks rows dead. Rows never move and never change after they are published; only their tombstone may be set, once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "index/vector/aligned_array.hpp"
#include "index/vector/bounded_codes.hpp"
#include "index/vector/id_table.hpp"

namespace rag::core {

constexpr std::uint32_t kNoRow = IdTable::kNone;

enum class Metric : std::uint32_t { kCosine = 0, kInnerProduct = 1, kL2 = 2 };
enum class VectorType : std::uint32_t { kFloat32 = 0, kInt8 = 1 };

/// The order in which ids will be appended. Ascending ones are found by bisection, others need a table.
enum class IdOrder { kAny, kAscending };

/// Whether a code is kept of every row, which spares floats (code_bound.hpp): rows of an int8 graph have their codes elsewhere.
enum class RowCodes { kNone, kKept };

class Rows {
  public:
    /// Room for `capacity` rows of `dimension` floats, and for their codes.
    Rows(std::size_t dimension, std::size_t capacity, IdOrder order, RowCodes codes = RowCodes::kNone);
    /// The same, for the rows of `base` first, each to be appended by append_copy: their vectors and codes are not copied where
    /// they can be shared (GrowingArray).
    Rows(const Rows& base, std::size_t capacity, IdOrder order, RowCodes codes);
    /// Rows of a file: `vectors` is [ids.size(), padded_floats(dimension)] and lives as long as `owner`.
    Rows(std::size_t dimension, std::vector<std::int64_t> ids, std::vector<float> lengths, std::span<const std::uint64_t> dead,
         const float* vectors, std::shared_ptr<const void> owner);

    std::size_t dimension() const noexcept { return dimension_; }
    std::size_t stride() const noexcept { return stride_; }
    std::size_t capacity() const noexcept { return ids_.size(); }
    std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }
    std::size_t dead_count() const noexcept { return dead_count_.load(std::memory_order_relaxed); }

    std::int64_t id(std::size_t row) const noexcept { return ids_[row]; }
    /// The live row with this id, or kNoRow.
    std::uint32_t find(std::int64_t id) const noexcept;
    /// The live rows among `ids`, which ascend, in their order.
    void find_all(std::span<const std::int64_t> ids, std::vector<std::uint32_t>& rows) const;
    bool ascending() const noexcept { return !table_; }
    /// No row has an id outside of these; meaningless without rows.
    std::int64_t least_id() const noexcept { return least_id_.load(std::memory_order_relaxed); }
    std::int64_t greatest_id() const noexcept { return greatest_id_.load(std::memory_order_relaxed); }
    const float* vectors() const noexcept { return vectors_; }
    const float* vector(std::size_t row) const noexcept { return vectors_ + row * stride_; }
    /// Of the rows below size(); null without.
    const BoundedCodes* codes() const noexcept { return codes_ ? &*codes_ : nullptr; }
    /// Makes the codes of rows that came without, or takes those of a file; before others see this.
    void make_codes();
    void take_codes(BoundedCodes codes) { codes_.emplace(std::move(codes)); }
    /// Length of the vector that the caller gave (under cosine `vector` is that divided by it).
    float length(std::size_t row) const noexcept { return lengths_[row]; }
    bool dead(std::size_t row) const noexcept {
        return (dead_[row / 64].load(std::memory_order_relaxed) >> (row % 64) & 1U) != 0;
    }
    std::uint64_t dead_word(std::size_t word) const noexcept { return dead_[word].load(std::memory_order_relaxed); }
    std::size_t dead_words() const noexcept { return dead_.size(); }

    /// Appends a row; below capacity only. `values` has dimension elements, each multiplied by `factor`.
    void append(std::int64_t id, const float* values, double factor, float length) noexcept;
    /// Appends a live row of another part as it is.
    void append_copy(const Rows& from, std::size_t row) noexcept;
    void kill(std::size_t row) noexcept;

  private:
    void publish(std::int64_t id) noexcept;
    std::size_t dimension_;
    std::size_t stride_;
    std::vector<std::int64_t> ids_;
    std::vector<float> lengths_;
    std::vector<std::atomic<std::uint64_t>> dead_;
    GrowingArray<float> own_;
    const float* vectors_;
    std::shared_ptr<const void> owner_;
    std::optional<IdTable> table_;  // none: ids ascend
    std::optional<BoundedCodes> codes_;
    std::atomic<std::int64_t> least_id_{std::numeric_limits<std::int64_t>::max()};
    std::atomic<std::int64_t> greatest_id_{std::numeric_limits<std::int64_t>::min()};
    std::atomic<std::size_t> size_{0};
    std::atomic<std::size_t> dead_count_{0};
};

}  // namespace rag::core
