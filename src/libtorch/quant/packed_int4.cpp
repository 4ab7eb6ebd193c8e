#include "libtorch/quant/packed_int4.hpp"

#include <atomic>

#include "libtorch/kernels/ggml_blocks.hpp"
#include "libtorch/kernels/int4.hpp"

namespace rag::core::libtorch {
namespace {

using kernels::kInt4Group;
using kernels::kInt4PanelRows;
using kernels::kInt4Rows;
using kernels::kInt4TileBytes;

constexpr std::int64_t kFewRows = 16;         // rows up to which reading packed weights again beats unpacking them
constexpr std::int64_t kPanelGrain = 65536;   // weights that are worth another thread
constexpr std::int64_t kUnpackedPanels = 64;  // unpacked together: small enough for the cache, enough for the product

// Whether LibTorch multiplies bfloat16 by instructions of the processor; elsewhere float32 is faster.
bool has_bfloat16_product() {
    static const bool found = [] {
        try {
            using Reorder = at::Tensor(const at::Tensor&, std::optional<std::int64_t>);
            c10::Dispatcher::singleton()
                .findSchemaOrThrow("mkldnn::_reorder_linear_weight", "")
                .typed<Reorder>()
                .call(at::zeros({16, 16}, at::kBFloat16), std::nullopt);
            return true;
        } catch (const c10::Error&) {
            return false;
        }
    }();
    return found;
}

// Rows of x as multiply_int4 takes them.
struct PackedInputs {
    PackedInputs(const float* x, std::int64_t rows, std::int64_t inputs, std::int64_t stride)
        : groups(kernels::int4_groups(inputs)),
          numbers(static_cast<std::size_t>(rows * groups * kInt4Group)),
          scales(static_cast<std::size_t>(rows * groups)),
          sums(static_cast<std::size_t>(rows * groups)) {
        for (std::int64_t r = 0; r < rows; ++r) {
            kernels::quantize_int4_inputs(x + r * stride, inputs, numbers.data() + r * groups * kInt4Group,
                                          scales.data() + r * groups, sums.data() + r * groups);
        }
    }
    kernels::Int4Inputs rows_from(std::int64_t first, std::int64_t count) const {
        return {numbers.data() + first * groups * kInt4Group, scales.data() + first * groups, sums.data() + first * groups, count,
                groups};
    }

    std::int64_t groups;
    std::vector<std::int16_t> numbers;
    std::vector<float> scales;
    std::vector<float> sums;
};

}  // namespace

Int4Matrix::Int4Matrix(at::Tensor bytes, std::int64_t outputs, std::int64_t inputs)
    : bytes_(std::move(bytes)), outputs_(outputs), inputs_(inputs) {
    if (bytes_.numel() != kernels::int4_bytes(outputs, inputs)) {
        fail(Code::kCorrupt, "int4 weights of ", bytes_.numel(), " bytes, ", outputs, " x ", inputs, " take ",
             kernels::int4_bytes(outputs, inputs));
    }
}

Int4Matrix Int4Matrix::from_view(const TensorView& view, const std::shared_ptr<const void>& owner) {
    // from_blob takes a mutable pointer; nothing writes to weights.
    void* data = const_cast<std::byte*>(view.bytes.data());
    const auto size = static_cast<std::int64_t>(view.bytes.size());
    return Int4Matrix(at::from_blob(data, {size}, [owner](void*) {}, at::kByte), view.shape[0], view.shape[1]);
}

Int4Matrix Int4Matrix::from_blocks(const TensorView& blocks, std::int64_t interleaved_heads) {
    const std::int64_t outputs = blocks.shape[0];
    const std::int64_t inputs = blocks.shape[1];
    const std::int64_t groups = kernels::int4_groups(inputs);
    const bool own_minimum = blocks.type == ElementType::kQ4_1;
    const std::int64_t block_bytes = own_minimum ? 20 : 18;
    const std::int64_t half = interleaved_heads > 0 ? outputs / interleaved_heads / 2 : 0;
    Int4Matrix out(at::zeros({kernels::int4_bytes(outputs, inputs)}, at::kByte), outputs, inputs);
    auto* bytes = reinterpret_cast<std::byte*>(out.bytes_.mutable_data_ptr<std::uint8_t>());
    at::parallel_for(0, outputs, 64, [&](std::int64_t begin, std::int64_t end) {
        kernels::Int4Codes codes{};
        for (std::int64_t n = begin; n < end; ++n) {
            // The file has row 2 * j + p of a head where row p * half + j is wanted.
            const std::int64_t in_head = half > 0 ? n % (2 * half) : 0;
            const std::int64_t from = half > 0 ? n - in_head + in_head % half * 2 + in_head / half : n;
            for (std::int64_t g = 0; g < groups; ++g) {
                const std::byte* block = blocks.bytes.data() + (from * groups + g) * block_bytes;
                std::memcpy(&codes.scale, block, sizeof(codes.scale));
                if (own_minimum) {
                    std::memcpy(&codes.minimum, block + 2, sizeof(codes.minimum));
                } else {
                    codes.minimum = kernels::float_to_half(-8.0F * kernels::half_to_float(codes.scale));
                }
                const std::byte* nibbles = block + (own_minimum ? 4 : 2);
                for (std::int64_t k = 0; k < kInt4Group / 2; ++k) {
                    const auto pair = std::to_integer<std::uint8_t>(nibbles[k]);
                    codes.codes[k] = pair & 15;
                    codes.codes[k + kInt4Group / 2] = pair >> 4;
                }
                std::byte* tile = bytes + (n / kInt4PanelRows * groups + g) * kInt4TileBytes;
                kernels::write_int4(codes, n % kInt4PanelRows, tile);
            }
        }
    });
    return out;
}

const std::byte* Int4Matrix::panel(std::int64_t index) const {
    const auto* bytes = reinterpret_cast<const std::byte*>(bytes_.const_data_ptr<std::uint8_t>());
    return bytes + index * kernels::int4_groups(inputs_) * kInt4TileBytes;
}

Int4Matrix Int4Matrix::round(const at::Tensor& weight, const at::Tensor& importance) {
    const std::int64_t outputs = weight.size(0);
    const std::int64_t inputs = weight.size(1);
    const std::int64_t groups = kernels::int4_groups(inputs);
    Int4Matrix out(at::zeros({kernels::int4_bytes(outputs, inputs)}, at::kByte), outputs, inputs);
    auto* bytes = reinterpret_cast<std::byte*>(out.bytes_.mutable_data_ptr<std::uint8_t>());
    const float* values = weight.const_data_ptr<float>();
    const float* weights = importance.defined() ? importance.const_data_ptr<float>() : nullptr;
    std::atomic<bool> good{true};
    at::parallel_for(0, outputs, 16, [&](std::int64_t begin, std::int64_t end) {
        kernels::Int4Codes codes{};
        for (std::int64_t n = begin; n < end; ++n) {
            for (std::int64_t g = 0; g < groups; ++g) {
                const std::int64_t first = g * kInt4Group;
                const std::int64_t count = std::min(kInt4Group, inputs - first);
                float group[kInt4Group] = {};
                float weighing[kInt4Group] = {};  // what is missing in the last group does not count
                std::copy_n(values + n * inputs + first, count, group);
                for (std::int64_t k = 0; k < count; ++k) {
                    weighing[k] = weights == nullptr ? 1.0F : weights[first + k];
                }
                if (!kernels::round_int4(group, weighing, codes)) {
                    good = false;
                }
                std::byte* tile = bytes + (n / kInt4PanelRows * groups + g) * kInt4TileBytes;
                kernels::write_int4(codes, n % kInt4PanelRows, tile);
            }
        }
    });
    if (!good) {
        fail(Code::kCorrupt, "a weight of ", outputs, " x ", inputs, " holds values that are not finite or above 65504");
    }
    return out;
}

void Int4Matrix::read_row(std::int64_t output, float* out) const {
    const std::byte* tiles = panel(output / kInt4PanelRows);
    float group[kInt4Group];
    for (std::int64_t first = 0; first < inputs_; first += kInt4Group) {
        kernels::read_int4(tiles + first / kInt4Group * kInt4TileBytes, output % kInt4PanelRows, group);
        std::copy_n(group, std::min(kInt4Group, inputs_ - first), out + first);
    }
}

at::Tensor Int4Matrix::to_float() const {
    at::Tensor out = at::empty({outputs_, inputs_}, at::kFloat);
    float* to = out.mutable_data_ptr<float>();
    at::parallel_for(0, outputs_, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t n = begin; n < end; ++n) {
            read_row(n, to + n * inputs_);
        }
    });
    return out;
}

void Int4Linear::run(const at::Tensor& x, at::Tensor& out) const {
    if (x.size(0) <= kFewRows) {
        run_packed(x, out);
    } else {
        run_unpacked(x, out);
    }
}

void Int4Linear::run_packed(const at::Tensor& x, at::Tensor& out) const {
    const std::int64_t inputs = parts_.front().weight.inputs();
    const std::int64_t rows = x.size(0);
    const PackedInputs packed(x.const_data_ptr<float>(), rows, inputs, x.stride(0));
    std::int64_t column = 0;
    for (const Part& part : parts_) {
        const std::int64_t outputs = part.weight.outputs();
        const float* bias = part.bias.defined() ? part.bias.const_data_ptr<float>() : nullptr;
        float* to = out.mutable_data_ptr<float>() + column;
        const std::int64_t grain = at::divup(kPanelGrain, kInt4PanelRows * inputs);
        at::parallel_for(0, kernels::int4_panels(outputs), grain, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t p = begin; p < end; ++p) {
                const std::int64_t n = p * kInt4PanelRows;
                for (std::int64_t r = 0; r < rows; r += kInt4Rows) {
                    kernels::multiply_int4(part.weight.panel(p), packed.rows_from(r, std::min(kInt4Rows, rows - r)),
                                           std::min(kInt4PanelRows, outputs - n), bias == nullptr ? nullptr : bias + n,
                                           to + r * out.stride(0) + n, out.stride(0));
                }
            }
        });
        column += outputs;
    }
}

void Int4Linear::run_unpacked(const at::Tensor& x, at::Tensor& out) const {
    const std::int64_t inputs = parts_.front().weight.inputs();
    const std::int64_t groups = kernels::int4_groups(inputs);
    const at::ScalarType type = has_bfloat16_product() ? at::kBFloat16 : at::kFloat;
    const at::Tensor narrow = x.to(type);
    const at::Tensor block = at::empty({kUnpackedPanels * kInt4PanelRows, groups * kInt4Group}, at::kBFloat16);
    auto* plain = reinterpret_cast<std::uint16_t*>(block.mutable_data_ptr());
    std::int64_t column = 0;
    for (const Part& part : parts_) {
        const std::int64_t outputs = part.weight.outputs();
        const std::int64_t panels = kernels::int4_panels(outputs);
        for (std::int64_t first = 0; first < panels; first += kUnpackedPanels) {
            const std::int64_t count = std::min(kUnpackedPanels, panels - first);
            at::parallel_for(0, count, 4, [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t p = begin; p < end; ++p) {
                    kernels::unpack_int4(part.weight.panel(first + p), groups, plain + p * kInt4PanelRows * groups * kInt4Group);
                }
            });
            const std::int64_t n = first * kInt4PanelRows;
            const std::int64_t width = std::min(count * kInt4PanelRows, outputs - n);
            const at::Tensor weight = block.narrow(0, 0, width).narrow(1, 0, inputs).to(type);
            out.narrow(1, column + n, width).copy_(at::linear(narrow, weight));
        }
        if (part.bias.defined()) {
            out.narrow(1, column, outputs).add_(part.bias);
        }
        column += outputs;
    }
}

std::uint64_t Int4Linear::size_bytes() const {
    std::uint64_t total = 0;
    for (const Part& part : parts_) {
        total += part.weight.size_bytes() + (part.bias.defined() ? part.bias.nbytes() : 0);
    }
    return total;
}

}  // namespace rag::core::libtorch
