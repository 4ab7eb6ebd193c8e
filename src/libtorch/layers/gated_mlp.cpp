#include "libtorch/layers/gated_mlp.hpp"

#include "libtorch/kernels/rows.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kRowGrain = 8;  // rows that are worth another thread

}  // namespace

GatedMlp::GatedMlp(const std::shared_ptr<const WeightSource>& source, const GatedMlpNames& names, std::int64_t hidden,
                   std::int64_t size, bool bias, Activation activation, const PrecisionPlan& plan)
    : activation_(activation),
      gate_up_(source, {{{names.gate, size, 0}, {names.up, size, 0}}, hidden, bias, true}, plan),
      down_(source, {{{names.down, hidden, 0}}, size, bias, true}, plan) {
    if (activation != Activation::kSilu && activation != Activation::kGeluTanh) {
        fail(Code::kUnsupported, "activation ", static_cast<std::uint32_t>(activation), " of a gated layer");
    }
}

at::Tensor GatedMlp::multiply_gate(const at::Tensor& gate_up) const {
    const std::int64_t size = gate_up.size(1) / 2;
    at::Tensor out = at::empty({gate_up.size(0), size}, at::kFloat);
    const float* from = gate_up.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    const auto multiply = activation_ == Activation::kSilu ? kernels::silu_multiply_row : kernels::gelu_tanh_multiply_row;
    at::parallel_for(0, gate_up.size(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            const float* gate = from + row * 2 * size;
            multiply(gate, gate + size, size, to + row * size);
        }
    });
    return out;
}

}  // namespace rag::core::libtorch
