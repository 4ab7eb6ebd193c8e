#include "libtorch/train/trained_layers.hpp"

#include "libtorch/kernels/training_rows.hpp"
#include "libtorch/layers/number_type.hpp"

namespace rag::core::libtorch {
namespace {

constexpr double kSteps = 127.0;
constexpr std::int64_t kRowGrain = 16;  // rows that are worth another thread

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

std::byte* bytes_at(const at::Tensor& x, std::int64_t element) {
    return static_cast<std::byte*>(x.data_ptr()) + element * x.itemsize();
}

// Where element `at` of an undefined tensor is: nowhere.
kernels::ConstNarrow narrow_row(const at::Tensor& x, std::int64_t at) {
    return x.defined() ? kernels::ConstNarrow{bytes_at(x, at), number_type(x.scalar_type())} : kernels::ConstNarrow{};
}
kernels::Narrow narrow_row(at::Tensor& x, std::int64_t at) {
    return {bytes_at(x, at), number_type(x.scalar_type())};
}

template <typename Function>
void each_row(std::int64_t rows, const Function& function) {
    at::parallel_for(0, rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            function(row);
        }
    });
}

// The gradient of a norm's weights, summed by every thread for itself and added at the end.
class RowGradient {
  public:
    RowGradient(const ParameterPtr& parameter, std::int64_t columns)
        : parameter_(parameter != nullptr && parameter->trained() ? parameter : nullptr), columns_(columns) {
        if (parameter_ != nullptr) {
            sums_ = at::zeros({at::get_num_threads(), columns}, at::kFloat);
        }
    }
    float* of_thread() {
        return parameter_ == nullptr ? nullptr : sums_.mutable_data_ptr<float>() + at::get_thread_num() * columns_;
    }
    void add() {
        if (parameter_ != nullptr) {
            parameter_->add_gradient(sums_.sum(0));
        }
    }

  private:
    ParameterPtr parameter_;
    std::int64_t columns_;
    at::Tensor sums_;
};

}  // namespace

Dropout::Draw Dropout::draw() const {
    if (share_ <= 0.0) {
        return {};
    }
    // SplitMix64's increment tells calls apart.
    return [share = share_, seed = seed_ + 0x9E3779B97F4A7C15ULL * ++calls_](const at::Tensor& x) {
        const at::Tensor from = x.contiguous();
        const std::int64_t columns = from.size(-1);
        at::Tensor out = at::empty(from.sizes(), from.scalar_type());
        each_row(from.numel() / columns, [&](std::int64_t row) {
            const std::int64_t at = row * columns;
            kernels::drop_row(narrow_row(from, at), columns, share, seed, static_cast<std::uint64_t>(at), narrow_row(out, at));
        });
        return out;
    };
}

at::Tensor Dropout::run(const at::Tensor& x) const {
    const Draw drop = draw();
    if (!drop) {
        return x;
    }
    return record(drop(x.detach()), {x}, [drop](const at::Tensor& gradient) { return std::vector<at::Tensor>{drop(gradient)}; });
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
    at::Tensor out = at::empty({input.size(0), weight.size(0)}, weight.scalar_type());
    if (bias) {
        at::addmm_out(out, *bias, input, weight.t());
    } else {
        at::mm_out(out, input, weight.t());
    }
    at::Tensor dropped, inner;
    Dropout::Draw drop;
    if (state->pair) {
        drop = dropout.draw();
        dropped = drop ? drop(x) : x;
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
    return record(std::move(out), {x}, [state, kept_input, kept_weight, kept_dropped, drop, inner](const at::Tensor& gradient) {
        const at::Tensor w = kept_weight.defined() ? kept_weight : state->weight->computed();
        at::Tensor to_input = at::empty({gradient.size(0), w.size(1)}, w.scalar_type());
        at::mm_out(to_input, gradient, w);
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
            to_input.add_(drop ? drop(to_dropped) : to_dropped);
        }
        return std::vector<at::Tensor>{to_input};
    });
}

TrainedLayerNorm::TrainedLayerNorm(ParameterSet& set, const std::string& module, std::int64_t columns, float epsilon, bool bias)
    : weight_(set.vector(module + ".weight", columns)),
      bias_(bias ? set.vector(module + ".bias", columns) : nullptr),
      epsilon_(epsilon) {}

Normed TrainedLayerNorm::run(const at::Tensor& x, const at::Tensor& added, at::ScalarType type) const {
    const at::Tensor input = x.detach().contiguous();
    const at::Tensor more = added.defined() ? added.detach().contiguous() : at::Tensor();
    const bool separate = type != at::kFloat;
    const std::int64_t columns = input.size(-1);
    const std::int64_t rows = input.numel() / columns;
    at::Tensor sum = more.defined() ? at::empty(input.sizes(), at::kFloat) : input;
    at::Tensor wide = at::empty(input.sizes(), at::kFloat);
    at::Tensor out = separate ? at::empty(input.sizes(), type) : at::Tensor();
    at::Tensor moments = at::empty({rows, 2}, at::kFloat);
    each_row(rows, [&](std::int64_t row) {
        const std::int64_t at = row * columns;
        const float* from = input.const_data_ptr<float>() + at;
        // Where nothing is added the kernel finds its sum where x is and writes nothing there.
        float* to = more.defined() ? sum.mutable_data_ptr<float>() + at : const_cast<float*>(from);
        const kernels::LayerNormMoments found = kernels::layer_norm_forward(
            from, narrow_row(more, at), weight_->value().const_data_ptr<float>(),
            bias_ == nullptr ? nullptr : bias_->value().const_data_ptr<float>(), columns, epsilon_, to,
            wide.mutable_data_ptr<float>() + at, separate ? narrow_row(out, at) : kernels::Narrow{nullptr, number_type(type)});
        moments.mutable_data_ptr<float>()[2 * row] = found.mean;
        moments.mutable_data_ptr<float>()[2 * row + 1] = found.inverse;
    });
    const auto backward = [sum = sum.detach(), moments, w = weight_, b = bias_, rows, columns, type,
                           has_added = more.defined()](const std::vector<at::Tensor>& gradients) {
        const at::Tensor of_wide = gradients[0].defined() ? gradients[0].contiguous() : at::Tensor();
        const at::Tensor of_out = gradients.size() > 1 && gradients[1].defined() ? gradients[1].contiguous() : at::Tensor();
        at::Tensor to_sum = at::empty(sum.sizes(), at::kFloat);
        RowGradient to_weight(w, columns), to_bias(b, columns);
        each_row(rows, [&](std::int64_t row) {
            const std::int64_t at = row * columns;
            const float* found = moments.const_data_ptr<float>() + 2 * row;
            kernels::layer_norm_backward(of_wide.defined() ? of_wide.const_data_ptr<float>() + at : nullptr,
                                         narrow_row(of_out, at), sum.const_data_ptr<float>() + at,
                                         w->value().const_data_ptr<float>(), {found[0], found[1]}, columns,
                                         to_sum.mutable_data_ptr<float>() + at, to_weight.of_thread(), to_bias.of_thread());
        });
        to_weight.add();
        to_bias.add();
        std::vector<at::Tensor> result{to_sum};
        if (has_added) {
            result.push_back(to_sum.to(type));
        }
        return result;
    };
    std::vector<at::Tensor> inputs{x};
    if (added.defined()) {
        inputs.push_back(added);
    }
    if (separate) {
        record_many({wide, out}, inputs, backward);
        return {wide, out};
    }
    record_many({wide}, inputs, backward);
    return {wide, wide};
}

TrainedRmsNorm::TrainedRmsNorm(ParameterSet& set, const std::string& module, std::int64_t columns, float epsilon,
                               bool unit_offset)
    : weight_(set.vector(module + ".weight", columns)), epsilon_(epsilon), offset_(unit_offset ? 1.0F : 0.0F) {}

Normed TrainedRmsNorm::run(const at::Tensor& x, const at::Tensor& added, at::ScalarType type) const {
    const at::Tensor input = x.detach().contiguous();
    const at::Tensor more = added.defined() ? added.detach().contiguous() : at::Tensor();
    const std::int64_t columns = input.size(-1);
    const std::int64_t rows = input.numel() / columns;
    at::Tensor sum = more.defined() ? at::empty(input.sizes(), at::kFloat) : input;
    at::Tensor out = at::empty(input.sizes(), type);
    at::Tensor inverse = at::empty({rows}, at::kFloat);
    each_row(rows, [&](std::int64_t row) {
        const std::int64_t at = row * columns;
        const float* from = input.const_data_ptr<float>() + at;
        float* to = more.defined() ? sum.mutable_data_ptr<float>() + at : const_cast<float*>(from);
        inverse.mutable_data_ptr<float>()[row] =
            kernels::rms_norm_forward(from, narrow_row(more, at), weight_->value().const_data_ptr<float>(), offset_, columns,
                                      epsilon_, to, narrow_row(out, at));
    });
    const auto backward = [sum = sum.detach(), inverse, w = weight_, offset = offset_, rows, columns, type,
                           has_added = more.defined()](const at::Tensor& of_sum, const at::Tensor& of_out) {
        if (!of_out.defined()) {
            return of_sum;
        }
        const at::Tensor from = of_out.contiguous();
        const at::Tensor other = of_sum.defined() ? of_sum.contiguous() : at::Tensor();
        at::Tensor to_sum = at::empty(sum.sizes(), at::kFloat);
        RowGradient to_weight(w, columns);
        each_row(rows, [&](std::int64_t row) {
            const std::int64_t at = row * columns;
            kernels::rms_norm_backward(narrow_row(from, at), other.defined() ? other.const_data_ptr<float>() + at : nullptr,
                                       sum.const_data_ptr<float>() + at, w->value().const_data_ptr<float>(), offset,
                                       inverse.const_data_ptr<float>()[row], columns, to_sum.mutable_data_ptr<float>() + at,
                                       to_weight.of_thread());
        });
        to_weight.add();
        return to_sum;
    };
    if (!more.defined()) {
        record_many({out}, {x}, [backward](const std::vector<at::Tensor>& gradients) {
            return std::vector<at::Tensor>{backward(at::Tensor(), gradients[0])};
        });
        return {x, out};
    }
    record_many({sum, out}, {x, added}, [backward, type](const std::vector<at::Tensor>& gradients) {
        const at::Tensor to_sum = backward(gradients[0], gradients[1]);
        return std::vector<at::Tensor>{to_sum, to_sum.to(type)};
    });
    return {sum, out};
}

at::Tensor gated(Activation activation, const at::Tensor& gate, const at::Tensor& up) {
    if (activation != Activation::kSilu && activation != Activation::kGeluTanh) {
        return activate(activation, gate).mul(up);
    }
    const kernels::Gate kind = activation == Activation::kSilu ? kernels::Gate::kSilu : kernels::Gate::kGeluTanh;
    const at::Tensor rows_gate = gate.detach().contiguous(), rows_up = up.detach().contiguous();
    const std::int64_t columns = gate.size(-1);
    const std::int64_t rows = gate.numel() / columns;
    at::Tensor out = at::empty(gate.sizes(), gate.scalar_type());
    each_row(rows, [&](std::int64_t row) {
        const std::int64_t at = row * columns;
        kernels::gate_forward(kind, narrow_row(rows_gate, at), narrow_row(rows_up, at), columns, narrow_row(out, at));
    });
    return record(std::move(out), {gate, up}, [kind, rows_gate, rows_up, rows, columns](const at::Tensor& gradient) {
        const at::Tensor from = gradient.contiguous();
        at::Tensor to_gate = at::empty(rows_gate.sizes(), rows_gate.scalar_type());
        at::Tensor to_up = at::empty(rows_up.sizes(), rows_up.scalar_type());
        each_row(rows, [&](std::int64_t row) {
            const std::int64_t at = row * columns;
            kernels::gate_backward(kind, narrow_row(from, at), narrow_row(rows_gate, at), narrow_row(rows_up, at), columns,
                                   narrow_row(to_gate, at), narrow_row(to_up, at));
        });
        return std::vector<at::Tensor>{to_gate, to_up};
    });
}

at::Tensor add_rows(const at::Tensor& x, const at::Tensor& added) {
    const at::Tensor input = x.detach().contiguous(), more = added.detach().contiguous();
    const std::int64_t columns = input.size(-1);
    at::Tensor out = at::empty(input.sizes(), at::kFloat);
    each_row(input.numel() / columns, [&](std::int64_t row) {
        const std::int64_t at = row * columns;
        kernels::add_row(input.const_data_ptr<float>() + at, narrow_row(more, at), columns, out.mutable_data_ptr<float>() + at);
    });
    return record(std::move(out), {x, added}, [type = added.scalar_type()](const at::Tensor& gradient) {
        return std::vector<at::Tensor>{gradient, gradient.to(type)};
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

namespace {

at::Tensor gelu(const at::Tensor& x, const char* form) {
    const at::Tensor input = x.detach();
    at::Tensor out = at::empty(x.sizes(), x.scalar_type());
    {
        const at::AutoGradMode off(false);
        at::gelu_out(out, input, form);
    }
    return record(std::move(out), {x}, [input, form](const at::Tensor& gradient) {
        at::Tensor to_input = at::empty(input.sizes(), input.scalar_type());
        at::gelu_backward_out(to_input, gradient, input, form);
        return std::vector<at::Tensor>{to_input};
    });
}

}  // namespace

at::Tensor activate(Activation activation, const at::Tensor& x) {
    switch (activation) {
        case Activation::kGelu:
            return gelu(x, "none");
        case Activation::kGeluTanh:
            return gelu(x, "tanh");
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
