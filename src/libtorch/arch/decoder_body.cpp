#include "libtorch/arch/decoder_body.hpp"

#include "libtorch/quant/shared_weights.hpp"

namespace rag::core::libtorch {
namespace {

constexpr std::int64_t kRowGrain = 8;  // rows that are worth another thread

void check_rotary(const RotaryConfig& rotary, std::int64_t head_dim, const char* name, const Weights& weights) {
    if (static_cast<std::int64_t>(rotary.frequencies.size()) != head_dim / 2) {
        fail(Code::kCorrupt, "the configuration of ", quote(weights.source), " has ", rotary.frequencies.size(),
             " frequencies in ", name, ", heads of ", head_dim, " dimensions take ", head_dim / 2);
    }
    bool usable = std::isfinite(rotary.attention_factor) && rotary.attention_factor > 0.0F;
    for (const float frequency : rotary.frequencies) {
        usable = usable && std::isfinite(frequency);
    }
    if (rotary.dynamic_factor != 0.0) {
        usable = usable && std::isfinite(rotary.dynamic_factor) && rotary.dynamic_factor >= 1.0 && rotary.dynamic_theta > 0.0 &&
                 std::isfinite(rotary.dynamic_theta) && rotary.original_context > 0 && head_dim > 2;
    }
    if (!usable) {
        fail(Code::kCorrupt, "the configuration of ", quote(weights.source), " has numbers in ", name, " that rotate nothing");
    }
}

void check_flags(const std::vector<std::uint8_t>& flags, const char* name, std::int64_t layers, const Weights& weights) {
    if (!flags.empty() && static_cast<std::int64_t>(flags.size()) != layers) {
        fail(Code::kCorrupt, "the configuration of ", quote(weights.source), " tells for ", flags.size(),
             " layers whether they are ", name, ", there are ", layers);
    }
}

void check_cap(float cap, const char* name, const Weights& weights) {
    if (!std::isfinite(cap) || cap < 0.0F) {
        fail(Code::kCorrupt, "the configuration of ", quote(weights.source), " says ", name, " = ", cap);
    }
}

}  // namespace

std::string numbered(const std::string& pattern, std::int64_t number) {
    const std::size_t place = pattern.find("{}");
    return place == std::string::npos ? pattern : std::string(pattern).replace(place, 2, std::to_string(number));
}

void check_decoder_config(const DecoderConfig& config, const Weights& weights) {
    constexpr std::int64_t kLimit = std::int64_t{1} << 24;
    check_value(weights, "vocab_size", config.vocab_size, 1, kLimit);
    check_value(weights, "hidden_size", config.hidden_size, 1, 65536);
    check_value(weights, "layers", config.layers, 1, 1024);
    check_value(weights, "heads", config.heads, 1, 65536);
    check_value(weights, "kv_heads", config.kv_heads, 1, config.heads);
    check_value(weights, "heads modulo kv_heads", config.heads % config.kv_heads, 0, 0);
    check_value(weights, "head_dim", config.head_dim, 2, 4096);
    check_value(weights, "head_dim modulo 2", config.head_dim % 2, 0, 0);
    check_value(weights, "intermediate_size", config.intermediate_size, 1, kLimit);
    check_value(weights, "context_length", config.context_length, 1, kLimit);
    check_flags(config.windowed, "windowed", config.layers, weights);
    check_flags(config.sparse, "sparse", config.layers, weights);
    if (!config.windowed.empty()) {
        check_value(weights, "window", config.window, 1, kLimit);
    }
    if (config.experts != 0) {
        check_value(weights, "experts", config.experts, 1, 65536);
        check_value(weights, "experts_per_token", config.experts_per_token, 1, config.experts);
        check_value(weights, "expert_size", config.expert_size, 1, kLimit);
    }
    check_rotary(config.rotary, config.head_dim, "rotary", weights);
    if (!config.local_rotary.frequencies.empty()) {
        check_rotary(config.local_rotary, config.head_dim, "local_rotary", weights);
    }
    check_cap(config.query_scale, "query_scale", weights);
    check_cap(config.attention_softcap, "attention_softcap", weights);
    check_cap(config.logit_softcap, "logit_softcap", weights);
}

RmsNorm DecoderBody::load_norm(const WeightSource& source, const std::string& module, std::int64_t columns) const {
    return {source, module, columns, config_.rms_norm_eps, config_.unit_offset_norms};
}

void DecoderBody::load(const std::shared_ptr<const WeightSource>& source, const PrecisionPlan& plan) {
    const std::int64_t hidden = config_.hidden_size;
    device_ = source->device();
    narrow_attention_ = rounds_activations(plan.base());
    const std::string table = "model.embed_tokens.weight";
    Precision kept = plan.of("model.embed_tokens", table_precision(plan.base()));
    if (config_.tied_embeddings) {
        kept = plan.of("lm_head", kept);
    }
    if (config_.tied_embeddings && kept == Precision::kInt8) {
        const std::string key = source->identity().empty() ? "" : source->identity() + "\npanels " + table;
        shared_table_ = SharedWeights::get<Int8Panels>(
            key, [&] { return std::make_shared<const Int8Panels>(source->float_tensor(table, {config_.vocab_size, hidden})); });
        embedding_ = Embedding(shared_table_);
    } else {
        embedding_ = Embedding(*source, table, config_.vocab_size, hidden, kept);
    }
    table_kept_ = kept;
    layers_.reserve(static_cast<std::size_t>(config_.layers));
    for (std::int64_t i = 0; i < config_.layers; ++i) {
        const std::string prefix = "model.layers." + std::to_string(i) + ".";
        const auto index = static_cast<std::size_t>(i);
        Layer& layer = layers_.emplace_back();
        layer.windowed = !config_.windowed.empty() && config_.windowed[index] != 0;
        layer.attention_norm = load_norm(*source, prefix + "input_layernorm", hidden);
        load_attention(source, plan, prefix, layer);
        layer.mlp_norm = load_norm(*source, prefix + parts_.mlp_norm, hidden);
        load_mlp(source, plan, prefix, config_.experts > 0 && (config_.sparse.empty() || config_.sparse[index] != 0), layer);
        if (parts_.attention_output_norm != nullptr) {
            layer.attention_output_norm = load_norm(*source, prefix + parts_.attention_output_norm, hidden);
        }
        if (parts_.mlp_output_norm != nullptr) {
            layer.mlp_output_norm = load_norm(*source, prefix + parts_.mlp_output_norm, hidden);
        }
    }
    norm_ = load_norm(*source, "model.norm", hidden);
}

void DecoderBody::load_attention(const std::shared_ptr<const WeightSource>& source, const PrecisionPlan& plan,
                                 const std::string& prefix, Layer& layer) const {
    const std::int64_t query_rows = config_.heads * config_.head_dim;
    const std::int64_t key_rows = config_.kv_heads * config_.head_dim;
    const std::int64_t query_pairs = config_.interleaved_qk ? config_.heads : 0;
    const std::int64_t key_pairs = config_.interleaved_qk ? config_.kv_heads : 0;
    const LinearSpec qkv{{{prefix + "self_attn.q_proj", query_rows, query_pairs},
                          {prefix + "self_attn.k_proj", key_rows, key_pairs},
                          {prefix + "self_attn.v_proj", key_rows, 0}},
                         config_.hidden_size,
                         parts_.qkv_bias,
                         true};
    layer.qkv = Linear(source, qkv, plan);
    layer.attention_output =
        Linear(source, {{{prefix + "self_attn.o_proj", config_.hidden_size, 0}}, query_rows, parts_.output_bias, true}, plan);
    if (parts_.head_norms) {
        layer.query_norm = load_norm(*source, prefix + "self_attn.q_norm", config_.head_dim);
        layer.key_norm = load_norm(*source, prefix + "self_attn.k_norm", config_.head_dim);
    }
}

void DecoderBody::load_mlp(const std::shared_ptr<const WeightSource>& source, const PrecisionPlan& plan,
                           const std::string& prefix, bool sparse, Layer& layer) const {
    if (!sparse) {
        layer.mlp.emplace(source, GatedMlpNames{prefix + "mlp.gate_proj", prefix + "mlp.up_proj", prefix + "mlp.down_proj"},
                          config_.hidden_size, config_.intermediate_size, config_.mlp_bias, parts_.activation, plan);
        return;
    }
    std::vector<GatedMlpNames> names;
    for (std::int64_t expert = 0; expert < config_.experts; ++expert) {
        names.push_back({numbered(prefix + parts_.experts.gate, expert), numbered(prefix + parts_.experts.up, expert),
                         numbered(prefix + parts_.experts.down, expert)});
    }
    const ExpertsSpec spec{config_.experts, config_.experts_per_token, config_.hidden_size, config_.expert_size,
                           config_.normalize_experts};
    layer.experts.emplace(source, prefix + parts_.experts.router, names, spec, parts_.activation, plan);
}

KvCache DecoderBody::new_cache(at::ScalarType type) const {
    return {config_.kv_heads, config_.head_dim, config_.context_length, type,
            config_.layers,   config_.window,   config_.windowed,       device_};
}

// What the layers of one pass share.
struct DecoderBody::Pass {
    std::span<const SequenceRows> sequences;
    RotaryRows rotary;
    std::optional<RotaryRows> local_rotary;
    RowAdapters adapters;
};

at::Tensor DecoderBody::run(std::span<const SequenceRows> sequences, const HostCall& call) const {
    std::int64_t rows = 0;
    std::vector<std::int32_t> ids;
    for (const SequenceRows& sequence : sequences) {
        rows += static_cast<std::int64_t>(sequence.ids.size());
        ids.insert(ids.end(), sequence.ids.begin(), sequence.ids.end());
    }
    Pass pass{sequences, RotaryRows(config_.rotary, rows), std::nullopt, {}};
    if (!config_.local_rotary.frequencies.empty()) {
        pass.local_rotary.emplace(config_.local_rotary, rows);
    }
    for (const SequenceRows& sequence : sequences) {
        const auto count = static_cast<std::int64_t>(sequence.ids.size());
        pass.adapters.append(count, sequence.adapters);
        pass.rotary.add(sequence.past, count, sequence.length);
        if (pass.local_rotary) {
            pass.local_rotary->add(sequence.past, count, sequence.length);
        }
    }
    pass.rotary.place_on(device_);
    if (pass.local_rotary) {
        pass.local_rotary->place_on(device_);
    }
    at::Tensor x = at::empty({rows, config_.hidden_size}, float_on(device_));
    embedding_.lookup(ids, x);
    if (parts_.embedding_scale != 1.0F) {
        x.mul_(parts_.embedding_scale);
    }
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        poll(call);
        run_layer(i, pass, x);
    }
    return x;
}

void DecoderBody::run_layer(std::size_t index, const Pass& pass, at::Tensor& x) const {
    // What treats every row alone goes by blocks where no adapter adds to its products.
    const Layer& layer = layers_[index];
    const at::Tensor attended = attend(index, pass, queries(layer, pass, x));
    if (finishes_in_blocks(layer, pass, x.size(0))) {
        return finish_in_blocks(layer, attended, x);
    }
    const at::Tensor projected = pass.adapters.apply(layer.attention_output, attended);
    x.add_(layer.attention_output_norm ? layer.attention_output_norm->run(projected) : projected);
    const at::Tensor fed = feed_forward(layer, pass, layer.mlp_norm.run(x));
    x.add_(layer.mlp_output_norm ? layer.mlp_output_norm->run(fed) : fed);
}

at::Tensor DecoderBody::queries(const Layer& layer, const Pass& pass, const at::Tensor& x) const {
    if (worth_blocks(x.size(0)) && in_blocks(layer.qkv) && !pass.adapters.change(layer.qkv)) {
        return queries_in_blocks(layer, rotary_of(layer, pass), x);
    }
    at::Tensor qkv = pass.adapters.apply(layer.qkv, layer.attention_norm.run(x));
    turn_heads(layer, rotary_of(layer, pass), qkv);
    return qkv;
}

bool DecoderBody::finishes_in_blocks(const Layer& layer, const Pass& pass, std::int64_t rows) const {
    if (!worth_blocks(rows) || !layer.mlp || !layer.mlp->in_blocks() || !in_blocks(layer.attention_output)) {
        return false;
    }
    const auto of_mlp = layer.mlp->linears();
    return !pass.adapters.change(layer.attention_output) &&
           std::none_of(of_mlp.begin(), of_mlp.end(), [&](const Linear* linear) { return pass.adapters.change(*linear); });
}

at::Tensor DecoderBody::queries_in_blocks(const Layer& layer, const RotaryRows& rotary, const at::Tensor& x) const {
    const std::int64_t hidden = x.size(1);
    at::Tensor qkv = at::empty({x.size(0), layer.qkv.outputs()}, at::kFloat);
    const float* from = x.const_data_ptr<float>();
    float* to = qkv.mutable_data_ptr<float>();
    const RowBlocks blocks = decoder_blocks(x.size(0));
    blocks.spread([&](const auto& each) {
        BlockProduct product(layer.qkv, blocks.size());
        std::vector<float> normed(static_cast<std::size_t>(hidden));
        each([&](std::int64_t first, std::int64_t rows) {
            for (std::int64_t row = 0; row < rows; ++row) {
                layer.attention_norm.run_row(from + (first + row) * hidden, normed.data());
                product.load_row(normed.data(), row);
            }
            float* block = to + first * layer.qkv.outputs();
            product.run(rows, block, layer.qkv.outputs());
            for (std::int64_t row = 0; row < rows; ++row) {
                turn_row(layer, rotary, first + row, block + row * layer.qkv.outputs());
            }
        });
    });
    return qkv;
}

namespace {

// x += norm(add), or add itself without a norm.
void add_row(const std::optional<RmsNorm>& norm, float* add, std::int64_t columns, float* x) {
    if (norm) {
        norm->run_row(add, add);
    }
    for (std::int64_t c = 0; c < columns; ++c) {
        x[c] += add[c];
    }
}

}  // namespace

void DecoderBody::finish_in_blocks(const Layer& layer, const at::Tensor& attended, at::Tensor& x) const {
    const std::int64_t hidden = x.size(1);
    const std::int64_t width = attended.size(1);
    const float* from = attended.const_data_ptr<float>();
    float* residual = x.mutable_data_ptr<float>();
    const RowBlocks blocks = decoder_blocks(x.size(0));
    blocks.spread([&](const auto& each) {
        BlockProduct output(layer.attention_output, blocks.size());
        GatedMlp::Block mlp(*layer.mlp, blocks.size());
        std::vector<float> sums(static_cast<std::size_t>(blocks.size() * hidden));
        std::vector<float> normed(static_cast<std::size_t>(hidden));
        each([&](std::int64_t first, std::int64_t rows) {
            for (std::int64_t row = 0; row < rows; ++row) {
                output.load_row(from + (first + row) * width, row);
            }
            output.run(rows, sums.data(), hidden);
            for (std::int64_t row = 0; row < rows; ++row) {
                float* at = residual + (first + row) * hidden;
                add_row(layer.attention_output_norm, sums.data() + row * hidden, hidden, at);
                layer.mlp_norm.run_row(at, normed.data());
                mlp.load_row(normed.data(), row);
            }
            mlp.run(rows, sums.data(), hidden);
            for (std::int64_t row = 0; row < rows; ++row) {
                add_row(layer.mlp_output_norm, sums.data() + row * hidden, hidden, residual + (first + row) * hidden);
            }
        });
    });
}

AttentionShape DecoderBody::attention_shape(const Layer& layer) const {
    AttentionShape shape;
    shape.heads = config_.heads;
    shape.kv_heads = config_.kv_heads;
    shape.head_dim = config_.head_dim;
    shape.scale = config_.query_scale > 0.0F ? config_.query_scale : 1.0F / std::sqrt(static_cast<float>(config_.head_dim));
    if (layer.windowed) {
        shape.before = config_.window - 1;
    }
    shape.after = 0;
    shape.softcap = config_.attention_softcap;
    shape.narrow = narrow_attention_;
    return shape;
}

const RotaryRows& DecoderBody::rotary_of(const Layer& layer, const Pass& pass) const {
    return layer.windowed && pass.local_rotary ? *pass.local_rotary : pass.rotary;
}

// Norms, if there are any, and rotation of a row's query and key heads in place.
void DecoderBody::turn_row(const Layer& layer, const RotaryRows& rotary, std::int64_t row, float* qkv) const {
    for (std::int64_t head = 0; head < config_.heads + config_.kv_heads; ++head, qkv += config_.head_dim) {
        if (layer.query_norm) {
            (head < config_.heads ? *layer.query_norm : *layer.key_norm).run_row(qkv, qkv);
        }
        rotary.rotate(row, qkv);
    }
}

void DecoderBody::turn_heads(const Layer& layer, const RotaryRows& rotary, at::Tensor& qkv) const {
    if (!qkv.is_cpu()) {
        const std::int64_t query_columns = config_.heads * config_.head_dim;
        const std::int64_t key_columns = config_.kv_heads * config_.head_dim;
        if (layer.query_norm) {
            for (const auto& [norm, column, columns] : {std::tuple{&*layer.query_norm, std::int64_t{0}, query_columns},
                                                        {&*layer.key_norm, query_columns, key_columns}}) {
                const at::Tensor part = qkv.narrow(1, column, columns);
                part.copy_(norm->run(part.reshape({-1, config_.head_dim})).view(part.sizes()));
            }
        }
        return rotary.rotate_on_device(qkv, config_.heads + config_.kv_heads);
    }
    float* data = qkv.mutable_data_ptr<float>();
    const std::int64_t stride = qkv.size(1);
    at::parallel_for(0, qkv.size(0), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            turn_row(layer, rotary, row, data + row * stride);
        }
    });
}

at::Tensor DecoderBody::attend(std::size_t index, const Pass& pass, const at::Tensor& qkv) const {
    const AttentionShape shape = attention_shape(layers_[index]);
    const std::int64_t stride = qkv.size(1);
    std::vector<AttentionRows> views;
    std::int64_t row = 0;
    for (const SequenceRows& sequence : pass.sequences) {
        const auto rows = static_cast<std::int64_t>(sequence.ids.size());
        if (sequence.cache == nullptr) {
            views.push_back({rows, 0, keys_in_rows(qkv, row, rows, shape)});
        } else if (!qkv.is_cpu()) {
            const KeyView own = keys_in_rows(qkv, row, rows, shape);
            sequence.cache->write_on_device(index, sequence.past, own.device_keys.transpose(0, 1),
                                            own.device_values.transpose(0, 1));
            views.push_back(sequence.cache->view(index, sequence.past, rows));
        } else {
            const float* keys = qkv.const_data_ptr<float>() + row * stride + config_.heads * config_.head_dim;
            sequence.cache->write(index, sequence.past, rows, keys, keys + config_.kv_heads * config_.head_dim, stride);
            views.push_back(sequence.cache->view(index, sequence.past, rows));
        }
        row += rows;
    }
    return attend_sequences(qkv, views, shape);
}

at::Tensor DecoderBody::feed_forward(const Layer& layer, const Pass& pass, const at::Tensor& x) const {
    if (layer.mlp) {
        return layer.mlp->run(x, [&pass](const Linear& linear, const at::Tensor& in) { return pass.adapters.apply(linear, in); });
    }
    return layer.experts->run(x, [&pass](const Linear& linear, const at::Tensor& in, std::span<const std::int64_t> rows) {
        return pass.adapters.apply(linear, in, rows);
    });
}

std::vector<Linear*> DecoderBody::linears() {
    std::vector<Linear*> all;
    for (Layer& layer : layers_) {
        all.insert(all.end(), {&layer.qkv, &layer.attention_output});
        if (layer.mlp) {
            const auto of_mlp = layer.mlp->linears();
            all.insert(all.end(), of_mlp.begin(), of_mlp.end());
        } else {
            const auto of_experts = layer.experts->linears();
            all.insert(all.end(), of_experts.begin(), of_experts.end());
        }
    }
    return all;
}

void DecoderBody::list_norms(std::vector<NormTensors>& out) {
    for (Layer& layer : layers_) {
        out.push_back(layer.attention_norm.tensors());
        out.push_back(layer.mlp_norm.tensors());
        for (auto* norm : {&layer.query_norm, &layer.key_norm, &layer.attention_output_norm, &layer.mlp_output_norm}) {
            if (*norm) {
                out.push_back((*norm)->tensors());
            }
        }
    }
    out.push_back(norm_.tensors());
}

std::uint64_t DecoderBody::size_bytes() const {
    std::uint64_t total = embedding_.size_bytes() + norm_.size_bytes();
    for (const Layer& layer : layers_) {
        total += layer.qkv.packed().size_bytes() + layer.attention_output.packed().size_bytes();
        total += layer.mlp ? layer.mlp->size_bytes() : layer.experts->size_bytes();
        total += layer.attention_norm.size_bytes() + layer.mlp_norm.size_bytes();
        for (const auto* norm : {&layer.query_norm, &layer.key_norm, &layer.attention_output_norm, &layer.mlp_output_norm}) {
            total += *norm ? (*norm)->size_bytes() : 0;
        }
    }
    return total;
}

}  // namespace rag::core::libtorch
