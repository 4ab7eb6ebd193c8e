#include "libtorch/layers/norm.hpp"

namespace rag::core::libtorch {

LayerNorm::LayerNorm(const WeightSource& source, const std::string& module, std::int64_t columns, float epsilon)
    : weight_(source.float_tensor(module + ".weight", {columns})),
      bias_(source.float_tensor(module + ".bias", {columns})),
      epsilon_(epsilon) {}

at::Tensor LayerNorm::run(const at::Tensor& x) const {
    return at::layer_norm(x, {x.size(-1)}, weight_, bias_, epsilon_);
}

RmsNorm::RmsNorm(const WeightSource& source, const std::string& module, std::int64_t columns, float epsilon)
    : weight_(source.float_tensor(module + ".weight", {columns})), epsilon_(epsilon) {}

at::Tensor RmsNorm::run(const at::Tensor& x) const {
    return at::rms_norm(x, {x.size(-1)}, weight_, epsilon_);
}

}  // namespace rag::core::libtorch
