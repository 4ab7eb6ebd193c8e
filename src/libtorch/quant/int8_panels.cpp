#include "libtorch/quant/int8_panels.hpp"

#include "libtorch/kernels/int8.hpp"
#include "libtorch/quant/packed_int8.hpp"

namespace rag::core::libtorch {
namespace {

using kernels::kInt8Group;
using kernels::kInt8PanelRows;
using kernels::kInt8Rows;
using kernels::kInt8TileBytes;

constexpr std::int64_t kPanelGrain = 65536;  // weights that are worth another thread
constexpr std::int64_t kRowGrain = 8;

kernels::Int8Outputs outputs_of(const at::Tensor& scale, const at::Tensor& sums, const float* bias, std::int64_t first,
                                std::int64_t outputs) {
    return {scale.const_data_ptr<float>() + first, sums.const_data_ptr<std::int32_t>() + first,
            bias == nullptr ? nullptr : bias + first, std::min(kInt8PanelRows, outputs - first)};
}

}  // namespace

Int8Panels::Int8Panels(const at::Tensor& weight) : outputs_(weight.size(0)), inputs_(weight.size(1)) {
    if (inputs_ > kernels::kInt8MaxInputs) {
        fail(Code::kUnsupported, "an int8 layer with ", inputs_, " inputs; at most ", kernels::kInt8MaxInputs);
    }
    at::Tensor rows;
    at::Tensor scale;
    quantize_weight_rows(weight, rows, scale);
    const std::int64_t padded = kernels::int8_panels(outputs_) * kInt8PanelRows;
    bytes_ = at::zeros({kernels::int8_bytes(outputs_, inputs_)}, at::kByte);
    scale_ = at::zeros({padded}, at::kFloat);
    sums_ = at::zeros({padded}, at::kInt);
    scale_.narrow(0, 0, outputs_).copy_(scale);
    const auto* from = rows.const_data_ptr<std::int8_t>();
    auto* to = reinterpret_cast<std::byte*>(bytes_.mutable_data_ptr<std::uint8_t>());
    auto* sums = sums_.mutable_data_ptr<std::int32_t>();
    at::parallel_for(0, outputs_, 64, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) {
            const std::int8_t* row = from + n * inputs_;
            kernels::write_int8(row, inputs_, n % kInt8PanelRows,
                                to + n / kInt8PanelRows * kernels::int8_groups(inputs_) * kInt8TileBytes);
            sums[n] = std::accumulate(row, row + inputs_, std::int32_t{0});
        }
    });
}

const std::byte* Int8Panels::panel(std::int64_t index) const {
    const auto* bytes = reinterpret_cast<const std::byte*>(bytes_.const_data_ptr<std::uint8_t>());
    return bytes + index * kernels::int8_groups(inputs_) * kInt8TileBytes;
}

void Int8Panels::read_row(std::int64_t output, float* out) const {
    std::vector<std::int8_t> bytes(static_cast<std::size_t>(inputs_));
    kernels::read_int8(panel(output / kInt8PanelRows), inputs_, output % kInt8PanelRows, bytes.data());
    const float scale = scale_.const_data_ptr<float>()[output];
    std::transform(bytes.begin(), bytes.end(), out, [scale](std::int8_t byte) { return scale * static_cast<float>(byte); });
}

void Int8Panels::multiply(const at::Tensor& x, const float* bias, at::Tensor& out) const {
    if (!kernels::int8_planes_available()) {
        multiply_widened(x, bias, out);
    } else if (x.size(0) <= kInt8Rows) {
        multiply_few(x, bias, out);
    } else {
        multiply_many(x, bias, out);
    }
}

void Int8Panels::multiply_few(const at::Tensor& x, const float* bias, at::Tensor& out) const {
    const Int8Rows rows = load_rows(x);
    float* to = out.mutable_data_ptr<float>();
    const std::int64_t grain = at::divup(kPanelGrain, kInt8PanelRows * inputs_);
    at::parallel_for(0, kernels::int8_panels(outputs_), grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t p = begin; p < end; ++p) {
            const std::int64_t n = p * kInt8PanelRows;
            kernels::multiply_int8_planes_few(panel(p), rows.view(x.size(0)), outputs_of(scale_, sums_, bias, n, outputs_),
                                              to + n, out.stride(0));
        }
    });
}

// Each panel against four rows at a time.
void Int8Panels::multiply_widened(const at::Tensor& x, const float* bias, at::Tensor& out) const {
    const std::int64_t rows = x.size(0);
    const std::int64_t groups = kernels::int8_groups(inputs_);
    std::vector<std::int16_t> numbers(static_cast<std::size_t>(rows * groups * kInt8Group));
    std::vector<float> scales(static_cast<std::size_t>(rows));
    const float* from = x.const_data_ptr<float>();
    for (std::int64_t r = 0; r < rows; ++r) {
        kernels::quantize_int8_inputs(from + r * x.stride(0), inputs_, numbers.data() + r * groups * kInt8Group,
                                      scales.data() + r);
    }
    float* to = out.mutable_data_ptr<float>();
    const std::int64_t stride = out.stride(0);
    const std::int64_t grain = at::divup(kPanelGrain, kInt8PanelRows * inputs_);
    at::parallel_for(0, kernels::int8_panels(outputs_), grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t p = begin; p < end; ++p) {
            const std::int64_t n = p * kInt8PanelRows;
            const kernels::Int8Outputs outputs = outputs_of(scale_, sums_, bias, n, outputs_);
            for (std::int64_t r = 0; r < rows; r += kInt8Rows) {
                const kernels::Int8Inputs some{numbers.data() + r * groups * kInt8Group, scales.data() + r,
                                               std::min(kInt8Rows, rows - r), groups};
                kernels::multiply_int8(panel(p), some, outputs, to + r * stride + n, stride);
            }
        }
    });
}

Int8Rows Int8Panels::load_rows(const at::Tensor& x) const {
    Int8Rows rows(x.size(0), inputs_);
    const float* from = x.const_data_ptr<float>();
    at::parallel_for(0, x.size(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t r = begin; r < end; ++r) {
            rows.load_row(from + r * x.stride(0), r);
        }
    });
    return rows;
}

void Int8Panels::multiply_many(const at::Tensor& x, const float* bias, at::Tensor& out) const {
    const Int8Rows rows = load_rows(x);
    float* to = out.mutable_data_ptr<float>();
    constexpr std::int64_t kPair = 2 * kInt8PanelRows;
    const std::int64_t grain = at::divup(kPanelGrain, kPair * inputs_);
    at::parallel_for(0, at::divup(outputs_, kPair), grain, [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t first = begin * kPair;
        multiply_block(rows.view(x.size(0)), bias, first, std::min(end * kPair, outputs_), to + first, out.stride(0));
    });
}

void Int8Panels::multiply_block(const kernels::Int8Planes& x, const float* bias, std::int64_t first, std::int64_t last,
                                float* out, std::int64_t stride) const {
    for (std::int64_t n = first; n < last; n += 2 * kInt8PanelRows) {
        const bool both = n + kInt8PanelRows < last;
        const kernels::Int8Outputs left = outputs_of(scale_, sums_, bias, n, last);
        const kernels::Int8Outputs right = both ? outputs_of(scale_, sums_, bias, n + kInt8PanelRows, last) : left;
        kernels::multiply_int8_planes(panel(n / kInt8PanelRows), x, left, both ? &right : nullptr, out + n - first, stride);
    }
}

Int8Rows::Int8Rows(std::int64_t rows, std::int64_t inputs)
    : inputs_(inputs),
      planes_(at::empty({kernels::int8_planes_bytes(rows, kernels::int8_groups(inputs))}, at::kByte)),
      scales_(at::empty({rows}, at::kFloat)) {}

void Int8Rows::load_row(const float* x, std::int64_t row) {
    kernels::load_int8_planes_row(x, inputs_, row, planes_.mutable_data_ptr<std::uint8_t>(),
                                  scales_.mutable_data_ptr<float>() + row);
}

kernels::Int8Planes Int8Rows::view(std::int64_t rows) const {
    return {planes_.const_data_ptr<std::uint8_t>(), scales_.const_data_ptr<float>(), rows, kernels::int8_groups(inputs_)};
}

}  // namespace rag::core::libtorch
