#include "libtorch/layers/gated_mlp.hpp"

#include "libtorch/kernels/rows.hpp"
#include "libtorch/layers/activation.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kRowGrain = 8;  // rows that are worth another thread
constexpr std::int64_t kStrip = 256;   // columns of a block that stay in the nearest caches between product and gate

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

void GatedMlp::multiply_gate_row(const float* gate, const float* up, std::int64_t columns, float* out) const {
    if (activation_ == Activation::kSilu) {
        kernels::silu_multiply_row(gate, up, columns, out);
    } else {
        kernels::gelu_tanh_multiply_row(gate, up, columns, out);
    }
}

at::Tensor GatedMlp::multiply_gate(const at::Tensor& gate_up) const {
    if (!gate_up.is_cpu()) {
        return gated_activation(activation_, gate_up);
    }
    const std::int64_t size = gate_up.size(1) / 2;
    at::Tensor out = at::empty({gate_up.size(0), size}, at::kFloat);
    const float* from = gate_up.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    at::parallel_for(0, gate_up.size(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            const float* gate = from + row * 2 * size;
            multiply_gate_row(gate, gate + size, size, to + row * size);
        }
    });
    return out;
}

// Strips of both halves begin at panels of the packed weights only where the size is a multiple of two panels.
GatedMlp::Block::Block(const GatedMlp& mlp, std::int64_t rows)
    : mlp_(mlp),
      size_(mlp.gate_up_.outputs() / 2),
      strip_(size_ % (2 * kernels::kInt8PanelRows) == 0 ? std::min(size_, kStrip) : size_),
      input_(mlp.gate_up_, rows),
      inner_(mlp.down_, rows),
      gate_up_(at::empty({rows, 2 * strip_}, at::kFloat)),
      product_(at::empty({rows, size_}, at::kFloat)) {}

void GatedMlp::Block::run(std::int64_t rows, float* out, std::int64_t stride) {
    float* gate_up = gate_up_.mutable_data_ptr<float>();
    float* product = product_.mutable_data_ptr<float>();
    for (std::int64_t column = 0; column < size_; column += strip_) {
        const std::int64_t width = std::min(strip_, size_ - column);
        if (width == size_) {
            input_.run(rows, gate_up, 2 * strip_);
        } else {
            input_.run(rows, column, column + width, gate_up, 2 * strip_);
            input_.run(rows, size_ + column, size_ + column + width, gate_up + width, 2 * strip_);
        }
        for (std::int64_t row = 0; row < rows; ++row) {
            const float* gate = gate_up + row * 2 * strip_;
            mlp_.multiply_gate_row(gate, gate + width, width, product + row * size_ + column);
        }
    }
    for (std::int64_t row = 0; row < rows; ++row) {
        inner_.load_row(product + row * size_, row);
    }
    inner_.run(rows, out, stride);
}

}  // namespace rag::core::libtorch
