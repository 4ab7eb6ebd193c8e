#include "libtorch/train/trained_body.hpp"

namespace rag::core::libtorch {

at::Tensor TrainedBody::run_layer(const std::function<at::Tensor(const at::Tensor&)>& layer, const at::Tensor& x,
                                  const PassOptions& options) {
    poll(*options.call);
    return options.recompute_layers ? recompute(layer, x) : layer(x);
}

}  // namespace rag::core::libtorch
