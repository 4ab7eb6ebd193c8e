#include "libtorch/train/trained_layers.hpp"

namespace rag::core::libtorch {
namespace {

constexpr double kSteps = 127.0;

// Rounded to one byte by row, symmetric as weights are.
at::Tensor round_weights(const at::Tensor& weight) {
    const at::Tensor scale = weight.abs().amax(1, true).div_(kSteps).clamp_min_(1e-30);
    return weight.div(scale).round_().clamp_(-kSteps, kSteps).mul_(scale);
}

// Rounded to an unsigned byte by row with a zero point, as QuantizedRows.
at::Tensor round_inputs(const at::Tensor& x) {
    const at::Tensor least = x.amin(1, true).clamp_max_(0.0);
    const at::Tensor scale = x.amax(1, true).clamp_min_(0.0).sub_(least).div_(255.0).clamp_min_(1e-30);
    const at::Tensor zero = least.div(scale).neg_().round_();
    return x.div(scale).add_(zero).round_().clamp_(0.0, 255.0).sub_(zero).mul_(scale);
}

}  // namespace

at::Tensor Dropout::mask(const at::Tensor& x) const {
    if (share_ <= 0.0) {
        return {};
    }
    // One generator a call: what is dropped depends on nothing that happened before (SplitMix64's increment tells calls apart).
    const auto generator = at::make_generator<at::CPUGeneratorImpl>(seed_ + 0x9E3779B97F4A7C15ULL * ++calls_);
    return at::empty(x.sizes(), x.options()).bernoulli_(1.0 - share_, generator).div_(1.0 - share_);
}

at::Tensor Dropout::run(const at::Tensor& x) const {
    const at::Tensor factors = mask(x);
    return factors.defined() ? x.mul(factors) : x;
}

struct TrainedLinear::State {
    ParameterPtr weight;
    ParameterPtr bias;
    std::optional<ParameterSet::Pair> pair;
    bool fake_int8 = false;
};

TrainedLinear::TrainedLinear(ParameterSet& set, const std::string& module, std::int64_t outputs, std::int64_t inputs, bool bias,
                             std::int64_t interleaved_heads) {
    auto state = std::make_shared<State>();
    state->weight = set.matrix({module + ".weight", outputs, inputs, interleaved_heads});
    if (bias) {
        state->bias = set.vector(module + ".bias", outputs);
    }
    state->pair = set.pair(module, outputs, inputs);
    state->fake_int8 = set.options().fake_int8;
    state_ = std::move(state);
}

at::Tensor TrainedLinear::run(const at::Tensor& x, const Dropout& dropout) const {
    const std::shared_ptr<const State> state = state_;
    const bool keep = recorded({x});
    const at::AutoGradMode off(false);
    at::Tensor weight = state->weight->computed();
    at::Tensor input = x;
    if (state->fake_int8) {
        weight = round_weights(state->weight->trained() ? state->weight->value() : weight.to(at::kFloat)).to(x.scalar_type());
        input = round_inputs(x.to(at::kFloat)).to(x.scalar_type());
    }
    std::optional<at::Tensor> bias;
    if (state->bias != nullptr) {
        bias = state->bias->value().to(weight.scalar_type());
    }
    at::Tensor out = at::linear(input, weight, bias);
    at::Tensor dropped, mask, inner;
    if (state->pair) {
        mask = dropout.mask(x);
        dropped = mask.defined() ? x.mul(mask) : x;
        inner = at::linear(dropped, state->pair->a->computed());
        out.add_(at::linear(inner, state->pair->b->computed()), state->pair->scale);
    }
    if (!keep) {
        return out;
    }
    const at::AutoGradMode on(true);
    // Of the inputs only what a gradient needs is kept.
    const at::Tensor kept_input = state->weight->trained() ? input.detach() : at::Tensor();
    const at::Tensor kept_weight = state->fake_int8 ? weight : at::Tensor();
    const at::Tensor kept_dropped = dropped.defined() ? dropped.detach() : at::Tensor();
    return record(std::move(out), {x}, [state, kept_input, kept_weight, kept_dropped, mask, inner](const at::Tensor& gradient) {
        const at::Tensor w = kept_weight.defined() ? kept_weight : state->weight->computed();
        at::Tensor to_input = gradient.mm(w);
        if (state->weight->trained()) {
            state->weight->add_gradient(gradient.t().mm(kept_input));
        }
        if (state->bias != nullptr && state->bias->trained()) {
            state->bias->add_gradient(gradient.sum(0, false, at::kFloat));
        }
        if (state->pair) {
            const at::Tensor scaled = gradient.mul(state->pair->scale);
            const at::Tensor to_inner = scaled.mm(state->pair->b->computed());
            state->pair->b->add_gradient(scaled.t().mm(inner));
            state->pair->a->add_gradient(to_inner.t().mm(kept_dropped));
            const at::Tensor to_dropped = to_inner.mm(state->pair->a->computed());
            to_input.add_(mask.defined() ? to_dropped.mul(mask) : to_dropped);
        }
        return std::vector<at::Tensor>{to_input};
    });
}

TrainedLayerNorm::TrainedLayerNorm(ParameterSet& set, const std::string& module, std::int64_t columns, float epsilon, bool bias)
    : weight_(set.vector(module + ".weight", columns)),
      bias_(bias ? set.vector(module + ".bias", columns) : nullptr),
      epsilon_(epsilon) {}

at::Tensor TrainedLayerNorm::run(const at::Tensor& x) const {
    at::Tensor out, mean, deviation;
    const std::optional<at::Tensor> weight = weight_->value();
    const std::optional<at::Tensor> bias = bias_ != nullptr ? std::optional(bias_->value()) : std::nullopt;
    const at::Tensor input = x.detach();
    {
        const at::AutoGradMode off(false);
        std::tie(out, mean, deviation) = at::native_layer_norm(input, {x.size(-1)}, weight, bias, epsilon_);
    }
    return record(std::move(out), {x},
                  [input, mean, deviation, w = weight_, b = bias_](const at::Tensor& gradient) -> std::vector<at::Tensor> {
                      const std::optional<at::Tensor> bias_value = b != nullptr ? std::optional(b->value()) : std::nullopt;
                      const bool bias_trained = b != nullptr && b->trained();
                      auto [to_input, to_weight, to_bias] = at::native_layer_norm_backward(
                          gradient.contiguous(), input, {input.size(-1)}, mean, deviation, std::optional(w->value()), bias_value,
                          {true, w->trained(), bias_trained});
                      if (w->trained()) {
                          w->add_gradient(to_weight);
                      }
                      if (bias_trained) {
                          b->add_gradient(to_bias);
                      }
                      return {to_input};
                  });
}

TrainedRmsNorm::TrainedRmsNorm(ParameterSet& set, const std::string& module, std::int64_t columns, float epsilon,
                               bool unit_offset)
    : weight_(set.vector(module + ".weight", columns)), epsilon_(epsilon), offset_(unit_offset ? 1.0F : 0.0F) {}

at::Tensor TrainedRmsNorm::run(const at::Tensor& x) const {
    const at::Tensor input = x.detach();
    at::Tensor out, inverse;
    {
        const at::AutoGradMode off(false);
        inverse = input.square().mean({-1}, true).add_(epsilon_).rsqrt_();
        out = input.mul(inverse).mul_(offset_ == 0.0F ? weight_->value() : weight_->value().add(offset_));
    }
    return record(std::move(out), {x},
                  [input, inverse, w = weight_, offset = offset_](const at::Tensor& gradient) -> std::vector<at::Tensor> {
                      const at::Tensor weight = offset == 0.0F ? w->value() : w->value().add(offset);
                      const at::Tensor normed = input.mul(inverse);
                      if (w->trained()) {
                          const std::int64_t columns = input.size(-1);
                          w->add_gradient(gradient.mul(normed).reshape({-1, columns}).sum(0));
                      }
                      const at::Tensor weighted = gradient.mul(weight);
                      const at::Tensor common = weighted.mul(normed).mean({-1}, true);
                      return {weighted.sub_(normed.mul(common)).mul_(inverse)};
                  });
}

at::Tensor look_up(const ParameterPtr& table, const at::Tensor& indices, const at::Tensor& anchor, bool rounded) {
    at::Tensor out;
    {
        const at::AutoGradMode off(false);
        out = at::index_select(table->value(), 0, indices).to(at::kFloat);
        out = rounded ? round_weights(out) : out;
    }
    return record(std::move(out), {anchor}, [table, indices](const at::Tensor& gradient) -> std::vector<at::Tensor> {
        if (table->trained()) {
            table->add_gradient_rows(indices, gradient);
        }
        return {at::Tensor()};
    });
}

at::Tensor activate(Activation activation, const at::Tensor& x) {
    switch (activation) {
        case Activation::kGelu:
            return at::gelu(x, "none");
        case Activation::kGeluTanh:
            return at::gelu(x, "tanh");
        case Activation::kRelu:
            return at::relu(x);
        case Activation::kSilu:
            return at::silu(x);
        case Activation::kTanh:
            return at::tanh(x);
        case Activation::kSigmoid:
            return at::sigmoid(x);
        case Activation::kIdentity:
            return x;
    }
    fail(Code::kUnsupported, "activation ", static_cast<std::uint32_t>(activation), " is unknown");
}

at::Tensor index_tensor(std::span<const std::int32_t> values) {
    at::Tensor out = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
    std::copy(values.begin(), values.end(), out.mutable_data_ptr<std::int64_t>());
    return out;
}

at::Tensor index_tensor(std::span<const std::int64_t> values) {
    at::Tensor out = at::empty({static_cast<std::int64_t>(values.size())}, at::kLong);
    std::copy(values.begin(), values.end(), out.mutable_data_ptr<std::int64_t>());
    return out;
}

}  // namespace rag::core::libtorch
