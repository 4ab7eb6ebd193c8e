#include "libtorch/layers/row_blocks.hpp"

namespace rag::core::libtorch {
namespace {

// Enough to read the weights seldom, few enough that a block's values fit beside them into the second-level cache.
constexpr std::int64_t kMostRows = 128;
constexpr std::int64_t kLeastRows = 16;  // a thread's share that is worth a block

}  // namespace

RowBlocks decoder_blocks(std::int64_t rows) {
    return {rows, kMostRows};
}

bool worth_blocks(std::int64_t rows) {
    return rows >= kLeastRows * at::get_num_threads();
}

}  // namespace rag::core::libtorch
