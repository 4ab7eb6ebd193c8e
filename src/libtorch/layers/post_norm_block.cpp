#include "libtorch/layers/post_norm_block.hpp"

#include "libtorch/kernels/rows.hpp"
#include "libtorch/layers/activation.hpp"
#include "libtorch/quant/block_split.hpp"
#include "libtorch/quant/tile_linear.hpp"

namespace rag::core::libtorch {
namespace {

// Rows that pass the feed-forward part together: few enough that its inner values stay in the second-level cache, enough to read
// the weights from it seldom.
constexpr std::int64_t kInnerBytes = std::int64_t{1} << 19;
constexpr std::int64_t kMostRows = 256;

std::int64_t most_rows(std::int64_t inner) {
    return std::clamp(kInnerBytes / (inner * 4) / kernels::kPairedRows * kernels::kPairedRows, kernels::kPairedRows, kMostRows);
}

std::optional<kernels::TileActivation> fused_activation(Activation activation) {
    switch (activation) {
        case Activation::kGelu:
            return kernels::TileActivation::kGelu;
        case Activation::kRelu:
            return kernels::TileActivation::kRelu;
        case Activation::kIdentity:
            return kernels::TileActivation::kNone;
        default:
            return std::nullopt;
    }
}

}  // namespace

PostNormBlock::PostNormBlock(std::shared_ptr<const WeightSource> source, const std::string& prefix, const PostNormNames& names,
                             const EncoderConfig& config, const PrecisionPlan& plan)
    : activation_(config.activation) {
    const std::int64_t hidden = config.hidden_size;
    const std::int64_t inner = config.intermediate_size;
    const auto linear = [&](std::initializer_list<const char*> modules, std::int64_t rows, std::int64_t inputs) {
        LinearSpec spec;
        spec.inputs = inputs;
        spec.bias = true;
        spec.tiles = true;
        for (const char* module : modules) {
            spec.parts.push_back({prefix + module, rows, 0});
        }
        return Linear(source, std::move(spec), plan);
    };
    const auto norm = [&](const char* module) { return LayerNorm(*source, prefix + module, hidden, config.layer_norm_eps); };
    qkv_ = linear({names.query, names.key, names.value}, hidden, hidden);
    attention_output_ = linear({names.attention_output}, hidden, hidden);
    attention_norm_ = norm(names.attention_norm);
    intermediate_ = linear({names.intermediate}, inner, hidden);
    output_ = linear({names.output}, hidden, inner);
    output_norm_ = norm(names.output_norm);
}

bool PostNormBlock::runs_in_tiles() const {
    const kernels::TileMatrix* attention_output = attention_output_.tiles();
    const kernels::TileMatrix* intermediate = intermediate_.tiles();
    return attention_output != nullptr && intermediate != nullptr && output_.tiles() != nullptr &&
           attention_output->numbers == intermediate->numbers && fused_activation(activation_);
}

at::Tensor PostNormBlock::run(at::Tensor& x, const Attend& attend, const RowAdapters& adapters,
                              const std::optional<at::Tensor>& rows) const {
    const auto wanted = [&](const at::Tensor& all) { return rows ? at::index_select(all, 0, rows->to(all.device())) : all; };
    // Adapters count the rows of the whole pass.
    if (runs_in_tiles() && (!rows || adapters.empty())) {
        const at::Tensor attended = wanted(attend(adapters.apply(qkv_, x)));
        at::Tensor out = wanted(x);
        run_tiles(attended, adapters, out);
        return out;
    }
    const auto apply = [&](const Linear& linear, const at::Tensor& in) {
        if (!rows) {
            return adapters.apply(linear, in);
        }
        return adapters.apply(linear, in, {rows->const_data_ptr<std::int64_t>(), static_cast<std::size_t>(rows->numel())});
    };
    const at::Tensor seen = wanted(attend(adapters.apply(qkv_, x)));
    const at::Tensor attended = attention_norm_.run(apply(attention_output_, seen).add_(wanted(x)));
    at::Tensor inner = apply(intermediate_, attended);
    apply_activation(activation_, inner);
    return output_norm_.run(apply(output_, inner).add_(attended));
}

void PostNormBlock::run_tiles(const at::Tensor& attended, const RowAdapters& adapters, at::Tensor& x) const {
    const std::int64_t hidden = x.size(1);
    const std::int64_t inner = intermediate_.outputs();
    const kernels::TileMatrix& attention_output = *attention_output_.tiles();
    const kernels::TileMatrix& intermediate = *intermediate_.tiles();
    const kernels::TileMatrix& output = *output_.tiles();
    const RowBlocks blocks(x.size(0), most_rows(inner));
    // What adapters add comes before the activation.
    const bool activated = !adapters.change(intermediate_);
    const kernels::TileActivation activation = activated ? *fused_activation(activation_) : kernels::TileActivation::kNone;
    const float* from = attended.const_data_ptr<float>();
    float* residual = x.mutable_data_ptr<float>();
    blocks.spread([&](const auto& each) {
        const std::int64_t most = blocks.size();
        TileRows narrow(attention_output.numbers, most, hidden);
        TileRows wide(output.numbers, most, inner);
        at::Tensor sums = at::empty({most, hidden}, at::kFloat);
        at::Tensor inner_values = at::empty({most, inner}, at::kFloat);
        float* sum = sums.mutable_data_ptr<float>();
        float* values = inner_values.mutable_data_ptr<float>();
        each([&](std::int64_t first, std::int64_t rows) {
            float* at = residual + first * hidden;
            narrow.load(from + first * hidden, hidden, rows);
            kernels::multiply_tiles(attention_output, narrow.view(), rows, kernels::TileActivation::kNone, sum, hidden);
            adapters.add(attention_output_, from + first * hidden, first, rows, sum);
            for (std::int64_t row = 0; row < rows; ++row) {
                attention_norm_.add_and_run(at + row * hidden, sum + row * hidden);
                narrow.load_row(at + row * hidden, row);
            }
            kernels::multiply_tiles(intermediate, narrow.view(), rows, activation, values, inner);
            if (!activated) {
                adapters.add(intermediate_, at, first, rows, values);
                at::Tensor block = inner_values.narrow(0, 0, rows);
                apply_activation(activation_, block);
            }
            wide.load(values, inner, rows);
            kernels::multiply_tiles(output, wide.view(), rows, kernels::TileActivation::kNone, sum, hidden);
            adapters.add(output_, values, first, rows, sum);
            for (std::int64_t row = 0; row < rows; ++row) {
                output_norm_.add_and_run(at + row * hidden, sum + row * hidden);
            }
        });
    });
}

void PostNormBlock::list_norms(std::vector<NormTensors>& out) {
    out.push_back(attention_norm_.tensors());
    out.push_back(output_norm_.tensors());
}

void PostNormBlock::list_linears(std::vector<Linear*>& out) {
    out.insert(out.end(), {&qkv_, &attention_output_, &intermediate_, &output_});
}

}  // namespace rag::core::libtorch
