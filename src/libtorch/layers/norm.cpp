#include "libtorch/layers/norm.hpp"

#include "libtorch/device/device_rows.hpp"
#include "libtorch/kernels/rows.hpp"

namespace rag::core::libtorch {

LayerNorm::LayerNorm(const WeightSource& source, const std::string& module, std::int64_t columns, float epsilon, bool bias)
    : module_(module),
      weight_(source.kept_tensor(module + ".weight", {columns})),
      bias_(bias ? source.kept_tensor(module + ".bias", {columns}) : at::Tensor()),
      epsilon_(epsilon) {}

at::Tensor LayerNorm::run(const at::Tensor& x) const {
    return at::layer_norm(x, {x.size(-1)}, weight_, bias_.defined() ? std::optional(bias_) : std::nullopt, epsilon_);
}

void LayerNorm::add_and_run(float* x, const float* add) const {
    const float* bias = bias_.defined() ? bias_.const_data_ptr<float>() : nullptr;
    kernels::add_layer_norm_row(x, add, weight_.const_data_ptr<float>(), bias, weight_.size(0), epsilon_);
}

RmsNorm::RmsNorm(const WeightSource& source, const std::string& module, std::int64_t columns, float epsilon, bool unit_offset)
    : module_(module), weight_(source.kept_tensor(module + ".weight", {columns})), epsilon_(epsilon), unit_offset_(unit_offset) {
    if (unit_offset) {
        weight_ = weight_.add(1.0);
    }
}

at::Tensor RmsNorm::run(const at::Tensor& x) const {
    if (!x.is_cpu()) {
        return device_rms_norm(x, weight_, epsilon_);
    }
    const std::int64_t columns = x.size(1);
    at::Tensor out = at::empty(x.sizes(), at::kFloat);
    const float* from = x.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    at::parallel_for(0, x.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            run_row(from + row * columns, to + row * columns);
        }
    });
    return out;
}

void RmsNorm::run_row(const float* from, float* to) const {
    kernels::rms_norm_row(from, weight_.const_data_ptr<float>(), weight_.size(0), epsilon_, to);
}

}  // namespace rag::core::libtorch
