#include "libtorch/quant/input_statistics.hpp"

#include <ATen/ops/cholesky_inverse.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_cholesky.h>

namespace rag::core::libtorch {
namespace {

constexpr double kDamping = 0.01;  // of the mean second moment, as GPTQ has it

}  // namespace

void InputStatistics::add(const at::Tensor& inputs) {
    const at::Tensor x = inputs.cpu();
    if (!sum_.defined()) {
        sum_ = at::zeros({x.size(1), x.size(1)}, at::kFloat);
    }
    sum_.addmm_(x.t(), x);
    rows_ += x.size(0);
}

at::Tensor InputStatistics::factor() const {
    if (rows_ == 0) {
        return {};
    }
    const at::Tensor moments = sum_.to(at::kDouble).div_(static_cast<double>(rows_));
    const double mean = moments.diagonal().mean().item<double>();
    if (!std::isfinite(mean) || mean <= 0.0) {
        return {};
    }
    moments.diagonal().add_(kDamping * mean);
    const at::Tensor inverse = at::cholesky_inverse(at::linalg_cholesky(moments));
    return at::linalg_cholesky(inverse, true).to(at::kFloat).contiguous();
}

at::Tensor InputStatistics::importance() const {
    const at::Tensor moments = sum_.diagonal().div(static_cast<double>(rows_));
    return moments.add(moments.mean().mul_(kDamping)).contiguous();
}

}  // namespace rag::core::libtorch
