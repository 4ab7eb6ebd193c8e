#include "libtorch/train/trained_rotary.hpp"

#include "libtorch/kernels/training_rows.hpp"
#include "libtorch/layers/number_type.hpp"

namespace rag::core::libtorch {
namespace {

at::Tensor copied(std::span<const float> values, std::int64_t rows, std::int64_t half) {
    at::Tensor out = at::empty({rows, half}, at::kFloat);
    std::copy(values.begin(), values.end(), out.mutable_data_ptr<float>());
    return out;
}

// Every head of every row by the row's angles, the other way round with `back`.
at::Tensor turned(const at::Tensor& x, std::int64_t heads, const at::Tensor& cosines, const at::Tensor& sines, bool back) {
    const std::int64_t half = cosines.size(1);
    const at::Tensor from = x.contiguous();
    at::Tensor out = at::empty(x.sizes(), x.scalar_type());
    const auto* in = static_cast<const std::byte*>(from.const_data_ptr());
    auto* to = static_cast<std::byte*>(out.data_ptr());
    const auto row_bytes = heads * 2 * half * from.itemsize();
    const kernels::NumberType type = number_type(x.scalar_type());
    at::parallel_for(0, x.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            kernels::rotate_forward({in + row * row_bytes, type}, heads, half, cosines.const_data_ptr<float>() + row * half,
                                    sines.const_data_ptr<float>() + row * half, back, {to + row * row_bytes, type});
        }
    });
    return out;
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
