// ModernBERT encoders (Warner et al. 2024, https://arxiv.org/abs/2412.13663): rotary positions, norms before attention and
// feed-forward (none before the first attention, a last one behind all layers), gated feed-forward, and layers that see only
// tokens near by, with a rotation of their own. Texts are packed, as its authors do.
// Thread rule: as EncoderCore.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/encoder_core.hpp"
#include "libtorch/layers/activation.hpp"
#include "libtorch/layers/attention.hpp"
#include "libtorch/layers/rotary.hpp"

namespace rag::core::libtorch {
namespace {

struct ModernBertLayer {
    std::optional<LayerNorm> attention_norm;
    Linear qkv;
    Linear attention_output;
    LayerNorm mlp_norm;
    Linear input_gate;
    Linear output;
    bool global = true;
};

class ModernBert : public EncoderCore {
  public:
    ModernBert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options)
        : EncoderCore(config, weights, "model.", options),
          global_rotary_(modernbert_rotary(config, config.global_theta)),
          local_rotary_(modernbert_rotary(config, config.local_theta)) {
        check_value(weights, "type_vocab_size", config_.type_vocab_size, 0, 0);
        check_value(weights, "head dimension modulo 2", config_.hidden_size / config_.heads % 2, 0, 0);
        check_value(weights, "layers with a kind", static_cast<std::int64_t>(config_.global_layers.size()), config_.layers,
                    config_.layers);
        if (!(config_.global_theta > 0.0) || !(config_.local_theta > 0.0)) {
            fail(Code::kCorrupt, "the configuration of ", quote(weights.source), " says rope_theta = ", config_.global_theta,
                 " and ", config_.local_theta, " (allowed: above 0)");
        }
    }

  private:
    void load_layers() override {
        words_ = load_table("embeddings.tok_embeddings", config_.vocab_size);
        embedding_norm_ = load_norm("embeddings.norm", config_.norm_bias);
        for (std::int64_t i = 0; i < config_.layers; ++i) {
            layers_.push_back(load_layer(i));
        }
        final_norm_ = load_norm("final_norm", config_.norm_bias);
    }

    ModernBertLayer load_layer(std::int64_t index) const {
        const std::string prefix = "layers." + std::to_string(index) + ".";
        const std::int64_t hidden = config_.hidden_size;
        const auto linear = [&](const char* module, std::int64_t rows, std::int64_t inputs, bool bias) {
            LinearSpec spec;
            spec.parts.push_back({prefix + module, rows, 0});
            spec.inputs = inputs;
            spec.bias = bias;
            // Its unnormed residual sums keep every rounding error; with tiles in bfloat16 they reach 2.2% of the vectors' range.
            spec.tiles = plan_.of(prefix + module) == Precision::kInt8;
            return Linear(source, std::move(spec), plan_);
        };
        ModernBertLayer layer;
        if (index > 0) {
            layer.attention_norm = load_norm(prefix + "attn_norm", config_.norm_bias);
        }
        layer.qkv = linear("attn.Wqkv", 3 * hidden, hidden, config_.attention_bias);
        layer.attention_output = linear("attn.Wo", hidden, hidden, config_.attention_bias);
        layer.mlp_norm = load_norm(prefix + "mlp_norm", config_.norm_bias);
        layer.input_gate = linear("mlp.Wi", 2 * config_.intermediate_size, hidden, config_.mlp_bias);
        layer.output = linear("mlp.Wo", hidden, config_.intermediate_size, config_.mlp_bias);
        layer.global = config_.global_layers[static_cast<std::size_t>(index)];
        return layer;
    }

    RotaryRows positions(const RotaryConfig& rotary, const TextGroup& group) const {
        RotaryRows rows(rotary, group.tokens());
        for (std::size_t text = 0; text + 1 < group.offsets.size(); ++text) {
            const std::int64_t tokens = group.offsets[text + 1] - group.offsets[text];
            rows.add(0, tokens, tokens);
        }
        rows.place_on(source->device());
        return rows;
    }

    // Turns queries and keys in place.
    void rotate(at::Tensor& qkv, const RotaryRows& positions) const {
        if (!qkv.is_cpu()) {
            return positions.rotate_on_device(qkv, 2 * config_.heads);
        }
        const std::int64_t stride = qkv.size(1);
        const std::int64_t head_dim = config_.hidden_size / config_.heads;
        float* rows = qkv.mutable_data_ptr<float>();
        at::parallel_for(0, qkv.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t row = begin; row < end; ++row) {
                for (std::int64_t head = 0; head < 2 * config_.heads; ++head) {
                    positions.rotate(row, rows + row * stride + head * head_dim);
                }
            }
        });
    }

    at::Tensor run_layers(const TextGroup& group, const HostCall& call) override {
        at::Tensor x = at::empty({group.tokens(), config_.hidden_size}, float_on(source->device()));
        words_.lookup(group.ids, x);
        x = embedding_norm_.run(x);
        const RotaryRows global = positions(global_rotary_, group);
        const RotaryRows local = positions(local_rotary_, group);
        for (const ModernBertLayer& layer : layers_) {
            poll(call);
            const auto apply = [&](const Linear& linear, const at::Tensor& in) { return group.token_adapters.apply(linear, in); };
            at::Tensor qkv = apply(layer.qkv, layer.attention_norm ? layer.attention_norm->run(x) : x);
            rotate(qkv, layer.global ? global : local);
            AttentionShape shape = attention();
            if (!layer.global) {
                shape.before = shape.after = config_.local_reach;
            }
            x = apply(layer.attention_output, attend_texts(qkv, group.offsets, shape)).add_(x);
            const at::Tensor inner = gated_activation(config_.activation, apply(layer.input_gate, layer.mlp_norm.run(x)));
            x = apply(layer.output, inner).add_(x);
        }
        return final_norm_.run(x);
    }

    void list_linears(std::vector<Linear*>& out) override {
        for (ModernBertLayer& layer : layers_) {
            out.insert(out.end(), {&layer.qkv, &layer.attention_output, &layer.input_gate, &layer.output});
        }
    }

    void list_layer_norms(std::vector<NormTensors>& out) override {
        out.push_back(embedding_norm_.tensors());
        for (ModernBertLayer& layer : layers_) {
            if (layer.attention_norm) {
                out.push_back(layer.attention_norm->tensors());
            }
            out.push_back(layer.mlp_norm.tensors());
        }
        out.push_back(final_norm_.tensors());
    }

    std::uint64_t other_bytes() const override {
        std::uint64_t total = words_.size_bytes() + embedding_norm_.size_bytes() + final_norm_.size_bytes();
        for (const ModernBertLayer& layer : layers_) {
            total += layer.mlp_norm.size_bytes() + (layer.attention_norm ? layer.attention_norm->size_bytes() : 0);
        }
        return total;
    }

    RotaryConfig global_rotary_;
    RotaryConfig local_rotary_;
    Embedding words_;
    LayerNorm embedding_norm_;
    std::vector<ModernBertLayer> layers_;
    LayerNorm final_norm_;
};

}  // namespace

RotaryConfig modernbert_rotary(const EncoderConfig& config, double theta) {
    RotaryConfig rotary;
    const std::int64_t head_dim = config.heads > 0 ? config.hidden_size / config.heads : 0;
    for (std::int64_t i = 0; i + 1 < head_dim; i += 2) {
        const float exponent = static_cast<float>(i) / static_cast<float>(head_dim);
        rotary.frequencies.push_back(1.0F / static_cast<float>(std::pow(theta, static_cast<double>(exponent))));
    }
    return rotary;
}

BackendStatus load_modernbert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                              std::unique_ptr<BackendEncoder>& out) noexcept {
    return load_encoder_core<ModernBert>(out, config, weights, options);
}

}  // namespace rag::core::libtorch
