// Merging of LoRA adapters (Hu et al. 2021, https://arxiv.org/abs/2106.09685): W + scale * B * A, computed in float32 from the
// weights of the file and then packed in the model's precision. The packings that were replaced are kept, so that unmerging puts
// back the same bytes.
// Thread rule: on the model's worker.
#pragma once

#include "libtorch/layers/linear.hpp"

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

class AdapterSlot {
  public:
    /// All or nothing; errors as find_targets, and a second adapter.
    void merge(const AdapterWeights& adapter, const WeightSource& source, std::span<Linear* const> layers,
               std::span<const std::string_view> unused);
    void unmerge();

  private:
    struct Replaced {
        Linear* layer;
        std::shared_ptr<const PackedLinear> base;
    };
    std::vector<Replaced> replaced_;
    std::string merged_;  // the source of the merged adapter; only with `replaced_` not empty
};

}  // namespace rag::core::libtorch
