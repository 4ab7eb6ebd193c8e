#include "libtorch/quant/device_linear.hpp"

namespace rag::core::libtorch {
namespace {

at::ScalarType kept_type(Precision precision) {
    switch (precision) {
        case Precision::kFloat32:
            return at::kFloat;
        case Precision::kBFloat16:
            return at::kBFloat16;
        case Precision::kFloat16:
            return at::kHalf;
        default:
            fail(Code::kUnsupported, "precision ", static_cast<std::uint32_t>(precision), " on a device");
    }
}

}  // namespace

DeviceLinear::DeviceLinear(Precision precision, const std::vector<LinearPartTensors>& parts, c10::Device device) {
    const at::ScalarType type = kept_type(precision);
    std::vector<at::Tensor> weights, biases;
    for (const LinearPartTensors& part : parts) {
        weights.push_back(part.weight.to(device, type));
        if (part.bias.defined()) {
            biases.push_back(part.bias.to(device, type == at::kHalf ? at::kFloat : type));
        }
    }
    weight_ = weights.size() == 1 ? weights.front() : at::cat(weights);
    if (!biases.empty()) {
        bias_ = biases.size() == 1 ? biases.front() : at::cat(biases);
    }
}

void DeviceLinear::run(const at::Tensor& x, at::Tensor& out) const {
    const at::ScalarType type = weight_.scalar_type() == at::kHalf ? at::kFloat : weight_.scalar_type();
    const std::optional<at::Tensor> bias = bias_.defined() ? std::optional(bias_) : std::nullopt;
    out.copy_(at::linear(x.to(type), weight_.to(type), bias));
}

std::uint64_t DeviceLinear::size_bytes() const {
    return weight_.nbytes() + (bias_.defined() ? bias_.nbytes() : 0);
}

}  // namespace rag::core::libtorch
