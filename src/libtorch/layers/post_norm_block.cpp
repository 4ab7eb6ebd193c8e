#include "libtorch/layers/post_norm_block.hpp"

#include "libtorch/layers/activation.hpp"

namespace rag::core::libtorch {

PostNormBlock::PostNormBlock(std::shared_ptr<const WeightSource> source, const std::string& prefix, const PostNormNames& names,
                             const EncoderConfig& config, Precision precision)
    : activation_(config.activation) {
    const std::int64_t hidden = config.hidden_size;
    const std::int64_t inner = config.intermediate_size;
    const auto linear = [&](std::initializer_list<const char*> modules, std::int64_t rows, std::int64_t inputs) {
        LinearSpec spec;
        spec.inputs = inputs;
        spec.bias = true;
        for (const char* module : modules) {
            spec.parts.push_back({prefix + module, rows, 0});
        }
        return Linear(source, std::move(spec), precision);
    };
    const auto norm = [&](const char* module) { return LayerNorm(*source, prefix + module, hidden, config.layer_norm_eps); };
    qkv_ = linear({names.query, names.key, names.value}, hidden, hidden);
    attention_output_ = linear({names.attention_output}, hidden, hidden);
    attention_norm_ = norm(names.attention_norm);
    intermediate_ = linear({names.intermediate}, inner, hidden);
    output_ = linear({names.output}, hidden, inner);
    output_norm_ = norm(names.output_norm);
}

at::Tensor PostNormBlock::run(const at::Tensor& x, const Attend& attend, const std::optional<at::Tensor>& rows) const {
    const auto wanted = [&](const at::Tensor& all) { return rows ? at::index_select(all, 0, *rows) : all; };
    const at::Tensor attended = attention_norm_.run(attention_output_.run(wanted(attend(qkv_.run(x)))).add_(wanted(x)));
    at::Tensor inner = intermediate_.run(attended);
    apply_activation(activation_, inner);
    return output_norm_.run(output_.run(inner).add_(attended));
}

void PostNormBlock::list_linears(std::vector<Linear*>& out) {
    out.insert(out.end(), {&qkv_, &attention_output_, &intermediate_, &output_});
}

}  // namespace rag::core::libtorch
