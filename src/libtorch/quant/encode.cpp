#include "libtorch/quant/encode.hpp"

#include <atomic>

#include "libtorch/kernels/int4_compensate.hpp"
#include "libtorch/quant/dequantize.hpp"
#include "libtorch/quant/packed_int8.hpp"

namespace rag::core::libtorch {
namespace {

void append(std::vector<std::byte>& out, const at::Tensor& tensor) {
    const at::Tensor plain = tensor.contiguous();
    const auto* bytes = static_cast<const std::byte*>(plain.const_data_ptr());
    out.insert(out.end(), bytes, bytes + plain.nbytes());
}

}  // namespace

std::vector<std::byte> bytes_of(const at::Tensor& tensor) {
    std::vector<std::byte> out;
    append(out, tensor);
    return out;
}

Int4Matrix compensate(const at::Tensor& weight, const InputStatistics& statistics) {
    const at::Tensor factor = statistics.factor();
    if (!factor.defined()) {
        return Int4Matrix::round(weight, {});
    }
    const std::int64_t outputs = weight.size(0);
    const std::int64_t inputs = weight.size(1);
    const std::int64_t groups = kernels::int4_groups(inputs);
    std::vector<float> importance(static_cast<std::size_t>(groups * kernels::kInt4Group));
    std::copy_n(statistics.importance().const_data_ptr<float>(), inputs, importance.begin());
    const at::Tensor bytes = at::zeros({kernels::int4_bytes(outputs, inputs)}, at::kByte);
    auto* to = reinterpret_cast<std::byte*>(bytes.mutable_data_ptr<std::uint8_t>());
    const float* values = weight.const_data_ptr<float>();
    const float* factors = factor.const_data_ptr<float>();
    std::atomic<bool> good{true};
    at::parallel_for(0, outputs, 4, [&](std::int64_t begin, std::int64_t end) {
        std::vector<float> row(importance.size());
        std::vector<kernels::Int4Codes> codes(static_cast<std::size_t>(groups));
        for (std::int64_t n = begin; n < end; ++n) {
            std::fill(row.begin(), row.end(), 0.0F);
            std::copy_n(values + n * inputs, inputs, row.begin());
            if (!kernels::compensate_int4(row.data(), inputs, factors, importance.data(), codes.data())) {
                good = false;
                return;
            }
            for (std::int64_t g = 0; g < groups; ++g) {
                std::byte* tile = to + (n / kernels::kInt4PanelRows * groups + g) * kernels::kInt4TileBytes;
                kernels::write_int4(codes[static_cast<std::size_t>(g)], n % kernels::kInt4PanelRows, tile);
            }
        }
    });
    if (!good) {
        fail(Code::kCorrupt, "a weight of ", outputs, " x ", inputs, " holds values that are not finite or above 65504");
    }
    return Int4Matrix(bytes, outputs, inputs);
}

std::vector<std::byte> encode_tensor(const at::Tensor& values, ElementType type, const InputStatistics* statistics) {
    switch (type) {
        case ElementType::kF32:
            return bytes_of(values);
        case ElementType::kF16:
            return bytes_of(values.to(at::kHalf));
        case ElementType::kBF16:
            return bytes_of(values.to(at::kBFloat16));
        case ElementType::kInt8: {
            if (values.dim() != 2) break;
            std::vector<std::byte> out;
            at::Tensor bytes;
            at::Tensor scale;
            quantize_weight_rows(values, bytes, scale);
            append(out, scale);
            append(out, bytes);
            return out;
        }
        case ElementType::kInt4:
            if (values.dim() != 2) break;
            return bytes_of((statistics != nullptr ? compensate(values, *statistics) : Int4Matrix::round(values, {})).bytes());
        default:
            break;
    }
    fail(Code::kUnsupported, "a tensor of shape ", shape_text(values.sizes()), " cannot be written as ", type_name(type));
}

}  // namespace rag::core::libtorch
