#include "libtorch/quant/packed_linear.hpp"

#include "libtorch/kernels/matvec.hpp"
#include "libtorch/quant/device_linear.hpp"
#include "libtorch/quant/int8_panels.hpp"
#include "libtorch/quant/packed_int4.hpp"
#include "libtorch/quant/packed_int8.hpp"
#include "libtorch/quant/tile_linear.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kMatvecGrain = 65536;  // weights that are worth another thread

std::uint64_t tensor_bytes(const at::Tensor& tensor) {
    return tensor.defined() ? tensor.nbytes() : 0;
}

at::Tensor concatenate(const std::vector<LinearPartTensors>& parts, at::Tensor LinearPartTensors::* member) {
    std::vector<at::Tensor> tensors;
    for (const LinearPartTensors& part : parts) {
        if (!(part.*member).defined()) {
            return {};
        }
        tensors.push_back(part.*member);
    }
    return tensors.size() == 1 ? tensors[0] : at::cat(tensors);
}

void multiply_into(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::Tensor out) {
    if (bias.defined()) {
        at::addmm_out(out, bias, x, weight.t());
    } else {
        at::mm_out(out, x, weight.t());
    }
}

// The product of a few rows; out is [rows, outputs] and may be a slice of wider rows.
void multiply_few(kernels::NumberType type, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  at::Tensor out) {
    const float* from = x.const_data_ptr<float>();
    const float* add = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
    float* to = out.mutable_data_ptr<float>();
    const void* weights = weight.const_data_ptr();
    at::parallel_for(0, weight.size(0), at::divup(kMatvecGrain, weight.size(1)), [&](std::int64_t begin, std::int64_t end) {
        kernels::multiply_rows(type, weights, weight.size(1), begin, end, from, x.size(0), add, to, out.stride(0));
    });
}

class Float32Linear : public PackedLinear {
  public:
    explicit Float32Linear(std::vector<LinearPartTensors> parts) : parts_(std::move(parts)) {}

    void run(const at::Tensor& x, at::Tensor& out) const override {
        std::int64_t column = 0;
        for (const LinearPartTensors& part : parts_) {
            const at::Tensor slice = out.narrow(1, column, part.weight.size(0));
            if (x.size(0) <= kernels::kMatvecRows) {
                multiply_few(kernels::NumberType::kFloat32, x, part.weight, part.bias, slice);
            } else {
                multiply_into(x, part.weight, part.bias, slice);
            }
            column += part.weight.size(0);
        }
    }

    std::uint64_t size_bytes() const override {
        std::uint64_t total = 0;
        for (const LinearPartTensors& part : parts_) {
            total += tensor_bytes(part.weight) + tensor_bytes(part.bias);
        }
        return total;
    }

  private:
    std::vector<LinearPartTensors> parts_;
};

// Half precision has no fast matrix product on processors without AVX512-FP16, so blocks of rows are widened to float32 just
// before their product: for long inputs that costs little, and products and sums are those of float32.
class Float16Linear : public PackedLinear {
  public:
    explicit Float16Linear(const std::vector<LinearPartTensors>& parts)
        : weight_(concatenate(parts, &LinearPartTensors::weight).to(at::kHalf)),
          bias_(concatenate(parts, &LinearPartTensors::bias)) {}

    void run(const at::Tensor& x, at::Tensor& out) const override {
        if (x.size(0) <= kernels::kMatvecRows) {
            return multiply_few(kernels::NumberType::kFloat16, x, weight_, bias_, out);
        }
        constexpr std::int64_t kBlockRows = 4096;
        for (std::int64_t begin = 0; begin < weight_.size(0); begin += kBlockRows) {
            const std::int64_t count = std::min(kBlockRows, weight_.size(0) - begin);
            const at::Tensor bias = bias_.defined() ? bias_.narrow(0, begin, count) : at::Tensor();
            multiply_into(x, weight_.narrow(0, begin, count).to(at::kFloat), bias, out.narrow(1, begin, count));
        }
    }

    std::uint64_t size_bytes() const override { return tensor_bytes(weight_) + tensor_bytes(bias_); }

  private:
    at::Tensor weight_;
    at::Tensor bias_;
};

using LinearPointwise = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view,
                                   c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
using ReorderWeight = at::Tensor(const at::Tensor&, std::optional<std::int64_t>);

class BFloat16Linear : public PackedLinear {
  public:
    explicit BFloat16Linear(const std::vector<LinearPartTensors>& parts)
        : weight_(concatenate(parts, &LinearPartTensors::weight).to(at::kBFloat16)),
          bias_(concatenate(parts, &LinearPartTensors::bias)) {
        size_bytes_ = tensor_bytes(weight_) + tensor_bytes(bias_);
        if (bias_.defined()) {
            bias_ = bias_.to(at::kBFloat16);
        }
        // oneDNN's own layout saves a reordering in every call. The operators are internal to LibTorch and refuse processors
        // without the instructions, hence the trial.
        try {
            const auto reorder =
                c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_reorder_linear_weight", "").typed<ReorderWeight>();
            const at::Tensor packed = reorder.call(weight_, std::nullopt);
            const at::Tensor probe = at::zeros({1, weight_.size(1)}, at::kBFloat16);
            multiply_packed(probe, packed);
            weight_ = packed;
            packed_ = true;
        } catch (const c10::Error&) {
            packed_ = false;
        }
    }

    void run(const at::Tensor& x, at::Tensor& out) const override {
        const at::Tensor narrow = x.to(at::kBFloat16);
        if (packed_) {
            out.copy_(multiply_packed(narrow, weight_));
        } else {
            out.copy_(at::linear(narrow, weight_, bias_.defined() ? std::optional(bias_) : std::nullopt));
        }
    }

    std::uint64_t size_bytes() const override { return size_bytes_; }

  private:
    at::Tensor multiply_packed(const at::Tensor& x, const at::Tensor& weight) const {
        static const auto op =
            c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "").typed<LinearPointwise>();
        return op.call(x, weight, bias_.defined() ? std::optional(bias_) : std::nullopt, "none",
                       c10::List<std::optional<at::Scalar>>(), "");
    }

    at::Tensor weight_;
    at::Tensor bias_;
    std::uint64_t size_bytes_ = 0;
    bool packed_ = false;
};

}  // namespace

std::shared_ptr<const PackedLinear> pack_linear(Precision precision, const std::vector<LinearPartTensors>& parts,
                                                const PackOptions& options) {
    if (!options.device.is_cpu()) {
        return std::make_shared<DeviceLinear>(precision, parts, options.device);
    }
    if (options.tiles && TileLinear::serves(precision, options.wide_inputs, parts.front().weight)) {
        return std::make_shared<TileLinear>(precision, concatenate(parts, &LinearPartTensors::weight),
                                            concatenate(parts, &LinearPartTensors::bias));
    }
    switch (precision) {
        case Precision::kFloat32:
            return std::make_shared<Float32Linear>(parts);
        case Precision::kBFloat16:
            return std::make_shared<BFloat16Linear>(parts);
        case Precision::kFloat16:
            return std::make_shared<Float16Linear>(parts);
        case Precision::kInt8:
            if (options.wide_inputs) {
                return std::make_shared<Int8PanelLinear>(
                    std::make_shared<const Int8Panels>(concatenate(parts, &LinearPartTensors::weight)),
                    concatenate(parts, &LinearPartTensors::bias));
            }
            return std::make_shared<Int8Linear>(concatenate(parts, &LinearPartTensors::weight),
                                                concatenate(parts, &LinearPartTensors::bias));
        case Precision::kInt4: {
            std::vector<Int4Linear::Part> packed;
            for (const LinearPartTensors& part : parts) {
                packed.push_back({part.packed != nullptr ? *part.packed : Int4Matrix::round(part.weight, {}), part.bias});
            }
            return std::make_shared<Int4Linear>(std::move(packed));
        }
    }
    fail(Code::kUnsupported, "precision ", static_cast<std::uint32_t>(precision), " is unknown");
}

}  // namespace rag::core::libtorch
