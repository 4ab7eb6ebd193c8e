// How the rows of a pass are spread over threads and cut into blocks, each of which a thread takes through one layer or several:
// as large as a cache allows, and as many rows for one thread as for another.
#pragma once

#include "libtorch/guard.hpp"

namespace rag::core::libtorch {

class RowBlocks {
  public:
    /// `most`: rows of a block, a multiple of 16.
    RowBlocks(std::int64_t rows, std::int64_t most)
        : rows_(rows), units_(at::divup(rows, kUnit)), size_(std::min(most, units_ * kUnit)) {}

    /// Rows of the largest block, a multiple of 16.
    std::int64_t size() const { return size_; }
    /// work(part) on each thread; part(block), to be called once there, calls block(first row, rows) for the thread's blocks.
    template <typename Work>
    void spread(Work&& work) const {
        at::parallel_for(0, units_, 1, [&](std::int64_t begin, std::int64_t end) {
            work([&](auto&& block) { cut(begin * kUnit, std::min(end * kUnit, rows_), block); });
        });
    }

  private:
    static constexpr std::int64_t kUnit = 16;  // rows of a matrix tile

    template <typename Block>
    void cut(std::int64_t begin, std::int64_t end, Block&& block) const {
        for (std::int64_t left = at::divup(end - begin, size_); left > 0; --left) {
            const std::int64_t rows = std::min(at::divup(at::divup(end - begin, left), kUnit) * kUnit, end - begin);
            block(begin, rows);
            begin += rows;
        }
    }

    std::int64_t rows_;
    std::int64_t units_;
    std::int64_t size_;
};

}  // namespace rag::core::libtorch
