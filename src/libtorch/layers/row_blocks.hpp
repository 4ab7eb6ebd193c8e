// Layers that treat every row alone (norms, products, gates, residuals), passed by blocks of rows: one thread takes a block
// through all of them while its values stay in the second-level cache, instead of every layer passing over all rows in memory.
// The arithmetic is that of the layers one after another, row for row; those are what runs where rows are few, weights are kept
// otherwise than in panels of bytes, or somebody adds to a product (adapters, observers).
// Thread rule: a BlockProduct belongs to one thread of a parallel region on the model's worker.
#pragma once

#include "libtorch/layers/linear.hpp"
#include "libtorch/quant/block_split.hpp"
#include "libtorch/quant/int8_panels.hpp"

namespace rag::core::libtorch {

/// Blocks for layers of decoders.
RowBlocks decoder_blocks(std::int64_t rows);
/// Whether there are enough rows for every thread; a few are better spread over threads by their outputs.
bool worth_blocks(std::int64_t rows);

/// Whether `linear` can be part of a block at present.
inline bool in_blocks(const Linear& linear) {
    return linear.panels() != nullptr && kernels::int8_planes_available();
}

/// One thread's inputs of a product, and the product.
class BlockProduct {
  public:
    /// For blocks of at most `rows` rows; in_blocks(linear).
    BlockProduct(const Linear& linear, std::int64_t rows)
        : weights_(*linear.panels()), outputs_(linear.outputs()), inputs_(rows, linear.spec().inputs) {}

    void load_row(const float* x, std::int64_t row) { inputs_.load_row(x, row); }
    /// Of the first `rows` rows: row r at out + r * stride.
    void run(std::int64_t rows, float* out, std::int64_t stride) const { run(rows, 0, outputs_, out, stride); }
    /// Outputs [first, last) alone, as in Int8Panels::multiply_block.
    void run(std::int64_t rows, std::int64_t first, std::int64_t last, float* out, std::int64_t stride) const {
        weights_.multiply_block(inputs_.view(rows), first, last, out, stride);
    }

  private:
    const Int8PanelLinear& weights_;
    std::int64_t outputs_;
    Int8Rows inputs_;
};

}  // namespace rag::core::libtorch
