#include "libtorch/quant/tile_linear.hpp"

#include "libtorch/quant/block_split.hpp"
#include "libtorch/quant/packed_int8.hpp"

namespace rag::core::libtorch {
namespace {

using kernels::TileNumbers;

constexpr std::int64_t kMostRows = 256;        // of a block: enough to read the weights seldom
constexpr std::int64_t kMostInputs = 1 << 16;  // sums of products of bytes stay below 2^31

// With room for the last panel of outputs; what is behind the values is 0.
at::Tensor padded(const at::Tensor& values, std::int64_t outputs) {
    at::Tensor out = at::zeros({kernels::round_up(outputs, kernels::kPairedRows)}, at::kFloat);
    if (values.defined()) {
        out.narrow(0, 0, outputs).copy_(values);
    }
    return out;
}

}  // namespace

TileRows::TileRows(TileNumbers numbers, std::int64_t rows, std::int64_t inputs) : numbers_(numbers), inputs_(inputs) {
    const std::int64_t room = kernels::round_up(rows, kernels::kPairedRows);
    const auto row_bytes = static_cast<std::int64_t>(kernels::tile_row_bytes(numbers, inputs));
    bytes_ = at::empty({room * row_bytes}, at::kByte);
    scales_ = at::empty({2, room}, at::kFloat);
    view_.bytes = reinterpret_cast<std::byte*>(bytes_.mutable_data_ptr<std::uint8_t>());
    view_.scale = scales_.mutable_data_ptr<float>();
    view_.zero = view_.scale + room;
}

void TileRows::load(const float* x, std::int64_t stride, std::int64_t rows) {
    for (std::int64_t row = 0; row < rows; ++row) {
        load_row(x + row * stride, row);
    }
}

bool TileLinear::serves(Precision precision, bool wide_inputs, const at::Tensor& weight) {
    return (precision == Precision::kInt8 || precision == Precision::kBFloat16) && !wide_inputs && weight.defined() &&
           weight.size(1) <= kMostInputs && kernels::tiles_available();
}

TileLinear::TileLinear(Precision precision, const at::Tensor& weight, const at::Tensor& bias) {
    matrix_.numbers = precision == Precision::kInt8 ? TileNumbers::kInt8 : TileNumbers::kBFloat16;
    matrix_.outputs = weight.size(0);
    matrix_.inputs = weight.size(1);
    const std::size_t bytes = kernels::tile_matrix_bytes(matrix_.numbers, matrix_.outputs, matrix_.inputs);
    tiles_ = at::empty({static_cast<std::int64_t>(bytes)}, at::kByte);
    auto* tiles = reinterpret_cast<std::byte*>(tiles_.mutable_data_ptr<std::uint8_t>());
    if (matrix_.numbers == TileNumbers::kInt8) {
        at::Tensor rows;
        at::Tensor scale;
        quantize_weight_rows(weight, rows, scale);
        kernels::pack_tiles(rows.const_data_ptr<std::int8_t>(), matrix_.outputs, matrix_.inputs, tiles);
        scale_ = padded(scale, matrix_.outputs);
        column_sums_ = padded(rows.sum(1, false, at::kFloat).mul_(scale), matrix_.outputs);
        matrix_.scale = scale_.const_data_ptr<float>();
        matrix_.column_sums = column_sums_.const_data_ptr<float>();
    } else {
        kernels::pack_tiles(weight.contiguous().const_data_ptr<float>(), matrix_.outputs, matrix_.inputs, tiles);
    }
    bias_ = padded(bias, matrix_.outputs);
    matrix_.tiles = tiles;
    matrix_.bias = bias_.const_data_ptr<float>();
}

void TileLinear::run(const at::Tensor& x, at::Tensor& out) const {
    const float* from = x.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    const RowBlocks blocks(x.size(0), kMostRows);
    blocks.spread([&](const auto& each) {
        TileRows inputs(matrix_.numbers, blocks.size(), matrix_.inputs);
        each([&](std::int64_t first, std::int64_t rows) {
            inputs.load(from + first * x.stride(0), x.stride(0), rows);
            kernels::multiply_tiles(matrix_, inputs.view(), rows, kernels::TileActivation::kNone, to + first * out.stride(0),
                                    out.stride(0));
        });
    });
}

std::uint64_t TileLinear::size_bytes() const {
    const auto bytes = [](const at::Tensor& tensor) { return tensor.defined() ? tensor.nbytes() : 0; };
    return bytes(tiles_) + bytes(scale_) + bytes(column_sums_) + bytes(bias_);
}

}  // namespace rag::core::libtorch
