#include "libtorch/train/trained_rotary.hpp"

namespace rag::core::libtorch {
namespace {

at::Tensor copied(std::span<const float> values, std::int64_t rows, std::int64_t half) {
    at::Tensor out = at::empty({rows, 1, half}, at::kFloat);
    std::copy(values.begin(), values.end(), out.mutable_data_ptr<float>());
    return out;
}

// Both halves of every head by one angle, the other way round with `back`.
at::Tensor turned(const at::Tensor& x, std::int64_t heads, const at::Tensor& cosines, const at::Tensor& sines, bool back) {
    const std::int64_t half = cosines.size(2);
    const at::Tensor wide = x.reshape({x.size(0), heads, 2 * half}).to(at::kFloat);
    const at::Tensor low = wide.narrow(2, 0, half);
    const at::Tensor high = wide.narrow(2, half, half);
    const double sign = back ? -1.0 : 1.0;
    at::Tensor out = at::empty({x.size(0), heads, 2 * half}, x.options());
    out.narrow(2, 0, half).copy_(low.mul(cosines).sub_(high.mul(sines), sign));
    out.narrow(2, half, half).copy_(high.mul(cosines).add_(low.mul(sines), sign));
    return out.view({x.size(0), heads * 2 * half});
}

}  // namespace

TrainedRotary::TrainedRotary(const RotaryConfig& config, std::span<const std::int64_t> offsets) {
    const auto half = static_cast<std::int64_t>(config.frequencies.size());
    RotaryRows rows(config, offsets.back());
    for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
        const std::int64_t length = offsets[i + 1] - offsets[i];
        rows.add(0, length, length);
    }
    cosines_ = copied(rows.cosines(), offsets.back(), half);
    sines_ = copied(rows.sines(), offsets.back(), half);
}

at::Tensor TrainedRotary::turn(const at::Tensor& x, std::int64_t heads) const {
    at::Tensor out;
    {
        const at::AutoGradMode off(false);
        out = turned(x.detach(), heads, cosines_, sines_, false);
    }
    return record(std::move(out), {x}, [heads, cosines = cosines_, sines = sines_](const at::Tensor& gradient) {
        return std::vector<at::Tensor>{turned(gradient, heads, cosines, sines, true)};
    });
}

}  // namespace rag::core::libtorch
