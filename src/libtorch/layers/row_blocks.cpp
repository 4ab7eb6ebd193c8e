#include "libtorch/layers/row_blocks.hpp"

namespace rag::core::libtorch {
namespace {

// Enough to read the weights seldom, few enough that a block's values fit beside them into the second-level cache.
constexpr std::int64_t kMostRows = 128;
constexpr std::int64_t kLeastRows = 16;  // a thread's share that is worth a block

}  // namespace

bool RowBlocks::worth(std::int64_t rows) {
    return rows >= kLeastRows * at::get_num_threads();
}

RowBlocks::RowBlocks(std::int64_t all) : rows(all) {
    const std::int64_t threads = at::get_num_threads();
    const std::int64_t rounds = at::divup(all, threads * kMostRows);  // every thread gets as many
    size = at::divup(at::divup(all, threads * rounds), kernels::kInt8BlockRows) * kernels::kInt8BlockRows;
    count = at::divup(all, size);
}

}  // namespace rag::core::libtorch
