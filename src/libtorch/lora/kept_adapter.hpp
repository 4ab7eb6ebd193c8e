// LoRA adapters (Hu et al. 2021, https://arxiv.org/abs/2106.09685) that stay beside the weights: y = W x + weight * scale * B (A
// x), computed for the rows of a pass that asked for it, so that several adapters, and mixtures of them, share a batch and a
// switch costs nothing. Factors are float32 in every precision: they are small. In: x [rows, in], the product [rows, out] of the
// base layer; out: the same product with the adapters' parts added. Thread rule: immutable; add() on the model's worker.
#pragma once

#include "libtorch/layers/linear.hpp"

namespace rag::core::libtorch {

class KeptAdapter : public BackendAdapter {
  public:
    /// All or nothing: unknown modules and wrong shapes are errors that name them, as in AdapterSlot::merge. `model` is compared
    /// with by belongs_to(). `unused`: modules that the model does without, which an adapter may name.
    KeptAdapter(const AdapterWeights& adapter, const WeightSource& source, std::span<Linear* const> layers, const void* model,
                std::span<const std::string_view> unused = {});

    bool belongs_to(const void* model) const { return model_ == model; }
    bool changes(const Linear& linear) const { return factors_.find(&linear) != factors_.end(); }
    /// out[row, :] += weight * the adapter's part for x[row, :]. Rows of both are contiguous floats; `rows` of them.
    void add(const Linear& linear, const float* x, std::int64_t rows, float weight, float* out) const;
    /// The same for rows on a device, [rows, in]; out: [rows, outputs of the layer], there or in the host's memory.
    void add_on_device(const Linear& linear, const at::Tensor& x, float weight, const at::Tensor& out) const;
    std::uint64_t size_bytes() const;

  private:
    // One part of a layer: columns column .. column + out of the product.
    struct Factors {
        std::int64_t column = 0;
        at::Tensor a;  // [rank, in]
        at::Tensor b;  // [rank, out], with the scale in it
    };
    std::unordered_map<const Linear*, std::vector<Factors>> factors_;
    const void* model_;
};

/// Which rows of a pass have which adapters.
class RowAdapters {
  public:
    /// The next `rows` rows of the pass have these.
    void append(std::int64_t rows, std::span<const AdapterShare> shares);
    bool empty() const { return segments_.empty(); }
    /// Whether the product of `linear` is another one for some row.
    bool change(const Linear& linear) const;
    /// The product of the whole pass, the adapters' parts included.
    at::Tensor apply(const Linear& linear, const at::Tensor& x) const;
    /// The same where x holds only the rows of the pass that `rows` numbers, in ascending order.
    at::Tensor apply(const Linear& linear, const at::Tensor& x, std::span<const std::int64_t> rows) const;
    /// Adds the adapters' parts to the products of rows first .. first + rows - 1 of the pass; x and out are the first row's, one
    /// row behind the other. Any thread of the worker's.
    void add(const Linear& linear, const float* x, std::int64_t first, std::int64_t rows, float* out) const;
    /// Adds the adapters' parts to the product of the whole pass.
    void add(const Linear& linear, const at::Tensor& x, at::Tensor& out) const;

  private:
    struct Segment {
        std::int64_t begin;
        std::int64_t end;
        std::span<const AdapterShare> shares;
    };
    // Rows begin .. end - 1 of x and out have these.
    static void add_rows(const Linear& linear, std::span<const AdapterShare> shares, const at::Tensor& x, std::int64_t begin,
                         std::int64_t end, at::Tensor& out);

    std::vector<Segment> segments_;  // only rows that have adapters
    std::int64_t rows_ = 0;
};

}  // namespace rag::core::libtorch
