// Merging of LoRA adapters (Hu et al. 2021, https://arxiv.org/abs/2106.09685): W + scale * B * A, computed in float32 from the
// weights of the file and then packed in the model's precision. Tensors that an adapter brings whole (trained heads, norms and
// biases) take the place of the file's. What was replaced is kept, so that unmerging puts back the same bytes.
// Thread rule: on the model's worker.
#pragma once

#include "libtorch/layers/linear.hpp"
#include "libtorch/layers/norm.hpp"

namespace rag::core::libtorch {

/// Where a pair of an adapter belongs.
struct AdapterTarget {
    Linear* layer;
    std::size_t part;  // of the layer
    const AdapterPair* pair;
};

/// Every pair's place, checked: unknown modules, wrong shapes and modules that come twice are errors that name them. Pairs for
/// `unused` modules, which the file holds but the model's output does not depend on, are passed over.
std::vector<AdapterTarget> find_targets(const AdapterWeights& adapter, const WeightSource& source,
                                        std::span<Linear* const> layers, std::span<const std::string_view> unused);

/// The parts of a model that an adapter may change.
struct Changeable {
    std::span<Linear* const> layers;
    std::span<const NormTensors> norms;
};

class AdapterSlot {
  public:
    /// All or nothing; errors as find_targets, a replaced tensor that is none of a layer or norm or has another shape, and a
    /// second adapter.
    void merge(const AdapterWeights& adapter, const WeightSource& source, const Changeable& model,
               std::span<const std::string_view> unused);
    void unmerge();

  private:
    struct Replaced {
        Linear* layer;
        std::shared_ptr<const PackedLinear> base;
    };
    struct ReplacedTensor {
        at::Tensor* tensor;
        at::Tensor base;
    };
    std::vector<Replaced> replaced_;
    std::vector<ReplacedTensor> replaced_tensors_;
    std::string merged_;  // the source of the merged adapter; empty: none is merged
};

}  // namespace rag::core::libtorch
