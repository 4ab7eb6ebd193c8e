#include "libtorch/layers/activation.hpp"

namespace rag::core::libtorch {

void apply_activation(Activation activation, at::Tensor& x) {
    switch (activation) {
        case Activation::kGelu:
            at::gelu_(x, "none");
            return;
        case Activation::kGeluTanh:
            at::gelu_(x, "tanh");
            return;
        case Activation::kRelu:
            at::relu_(x);
            return;
        case Activation::kSilu:
            at::silu_(x);
            return;
        case Activation::kTanh:
            at::tanh_(x);
            return;
        case Activation::kSigmoid:
            at::sigmoid_(x);
            return;
        case Activation::kIdentity:
            return;
    }
    fail(Code::kUnsupported, "activation ", static_cast<std::uint32_t>(activation), " is unknown");
}

at::Tensor gated_activation(Activation activation, const at::Tensor& x) {
    const std::int64_t half = x.size(1) / 2;
    at::Tensor out = x.narrow(1, 0, half).contiguous();
    apply_activation(activation, out);
    return out.mul_(x.narrow(1, half, half));
}

}  // namespace rag::core::libtorch
