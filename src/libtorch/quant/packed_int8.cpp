#include "libtorch/quant/packed_int8.hpp"

#include <bit>

#include "libtorch/kernels/rows.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kRowGrain = 16;
constexpr std::int64_t kTypicalRows = 1024;  // what oneDNN chooses its layout for; it serves any number

using QLinearPrepack = at::Tensor(at::Tensor, std::optional<c10::List<std::int64_t>>);
using QLinearPointwise = at::Tensor(at::Tensor, double, std::int64_t, at::Tensor, at::Tensor, at::Tensor,
                                    std::optional<at::Tensor>, double, std::int64_t, std::optional<at::ScalarType>,
                                    std::string_view, c10::List<std::optional<at::Scalar>>, std::string_view);

// Rounded up to 16 bits of mantissa: then scale * byte and the largest of them / 127 are exact in float32, and quantising what
// was read from quantised weights gives the same bytes and scales again.
float round_scale(float scale) {
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(scale) + 0xFFU) & ~0xFFU);
}

}  // namespace

QuantizedRows::QuantizedRows(std::int64_t rows, std::int64_t columns)
    : bytes(at::empty({rows, columns}, at::kByte)), scale(at::empty({rows}, at::kFloat)), zero(at::empty({rows}, at::kFloat)) {}

QuantizedRows quantize_rows(const at::Tensor& x) {
    const std::int64_t rows = x.size(0);
    const std::int64_t columns = x.size(1);
    QuantizedRows out(rows, columns);
    const float* from = x.const_data_ptr<float>();
    auto* bytes = out.bytes.mutable_data_ptr<std::uint8_t>();
    auto* scale = out.scale.mutable_data_ptr<float>();
    auto* zero = out.zero.mutable_data_ptr<float>();
    at::parallel_for(0, rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            kernels::quantize_row(from + row * columns, columns, bytes + row * columns, scale + row, zero + row);
        }
    });
    return out;
}

void quantize_weight_rows(const at::Tensor& weight, at::Tensor& bytes, at::Tensor& scale) {
    const std::int64_t columns = weight.size(1);
    bytes = at::empty(weight.sizes(), at::kChar);
    scale = at::empty({weight.size(0)}, at::kFloat);
    const float* from = weight.const_data_ptr<float>();
    auto* to = bytes.mutable_data_ptr<std::int8_t>();
    auto* scales = scale.mutable_data_ptr<float>();
    at::parallel_for(0, weight.size(0), 64, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            const float* values = from + row * columns;
            float largest = 0.0F;
            for (std::int64_t c = 0; c < columns; ++c) {
                largest = std::max(largest, std::fabs(values[c]));
            }
            scales[row] = round_scale(largest > 0.0F ? largest / 127.0F : 1.0F);
            for (std::int64_t c = 0; c < columns; ++c) {
                to[row * columns + c] = static_cast<std::int8_t>(std::lrintf(values[c] / scales[row]));
            }
        }
    });
}

Int8Linear::Int8Linear(const at::Tensor& weight, const at::Tensor& bias)
    : outputs_(weight.size(0)),
      inputs_(weight.size(1)),
      zero_points_(at::zeros({weight.size(0)}, at::kInt)),
      bias_(bias.defined() ? bias : at::zeros({weight.size(0)}, at::kFloat)) {
    at::Tensor bytes;
    quantize_weight_rows(weight, bytes, scale_);
    column_sums_ = bytes.sum(1, false, at::kFloat).mul_(scale_);
    static const auto prepack =
        c10::Dispatcher::singleton().findSchemaOrThrow("onednn::qlinear_prepack", "").typed<QLinearPrepack>();
    packed_ = prepack.call(bytes, c10::List<std::int64_t>({kTypicalRows, inputs_}));
}

at::Tensor Int8Linear::multiply(const at::Tensor& bytes) const {
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow("onednn::qlinear_pointwise", "").typed<QLinearPointwise>();
    return op.call(bytes, 1.0, 0, packed_, scale_, zero_points_, std::nullopt, 1.0, 0, at::kFloat, "none",
                   c10::List<std::optional<at::Scalar>>(), "");
}

void Int8Linear::run(const at::Tensor& x, at::Tensor& out) const {
    const std::int64_t rows = x.size(0);
    const QuantizedRows quantized = quantize_rows(x);
    const at::Tensor raw = multiply(quantized.bytes);
    const float* from = raw.const_data_ptr<float>();
    const float* scale = quantized.scale.const_data_ptr<float>();
    const float* zero = quantized.zero.const_data_ptr<float>();
    const float* sums = column_sums_.const_data_ptr<float>();
    const float* bias = bias_.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    at::parallel_for(0, rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            kernels::dequantize_row(from + row * outputs_, outputs_, scale[row], zero[row], sums, bias, to + row * out.stride(0));
        }
    });
}

std::uint64_t Int8Linear::size_bytes() const {
    // oneDNN's layout holds the same bytes, padded to its blocks, and four bytes of compensation a column.
    const auto padded = [](std::int64_t value, std::int64_t block) { return (value + block - 1) / block * block; };
    return static_cast<std::uint64_t>(padded(outputs_, 64) * padded(inputs_, 4) + 4 * outputs_) + scale_.nbytes() +
           zero_points_.nbytes() + column_sums_.nbytes() + bias_.nbytes();
}

}  // namespace rag::core::libtorch
