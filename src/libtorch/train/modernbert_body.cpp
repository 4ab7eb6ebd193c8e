// ModernBERT with gradients: what modernbert.cpp computes, under the same names. Thread rule: on the trainer's worker.
#include "libtorch/arch/arch.hpp"
#include "libtorch/train/encoder_body.hpp"
#include "libtorch/train/trained_attention.hpp"
#include "libtorch/train/trained_rotary.hpp"

namespace rag::core::libtorch {
namespace {

struct Layer {
    std::optional<TrainedLayerNorm> attention_norm;
    TrainedLinear qkv, attention_output, input_gate, output;
    TrainedLayerNorm mlp_norm;
    bool global = true;
};

class ModernBertBody : public TrainedBody {
  public:
    ModernBertBody(const EncoderConfig& config, ParameterSet& set)
        : config_(config),
          type_(set.type()),
          rounded_(set.options().fake_int8),
          global_rotary_(modernbert_rotary(config, config.global_theta)),
          local_rotary_(modernbert_rotary(config, config.local_theta)),
          words_(set.table("embeddings.tok_embeddings.weight", config.vocab_size, config.hidden_size)),
          embedding_norm_(norm(set, "embeddings.norm")) {
        for (std::int64_t i = 0; i < config.layers; ++i) {
            add_layer(set, i);
        }
        final_norm_ = norm(set, "final_norm");
    }

    const ParameterPtr& words() const override { return words_; }

    at::Tensor run(const TokenBatch& batch, const PassOptions& options, const at::Tensor& anchor) const override {
        at::Tensor x =
            options.layer_dropout(0).run(embedding_norm_.run(look_up(words_, index_tensor(batch.ids), anchor, rounded_)));
        const TrainedRotary global(global_rotary_, batch.offsets);
        const TrainedRotary local(local_rotary_, batch.offsets);
        // A layer may be computed again when this call is over: it holds what it needs.
        const auto offsets = std::make_shared<const std::vector<std::int64_t>>(batch.offsets.begin(), batch.offsets.end());
        std::uint64_t number = 0;
        for (const Layer& layer : layers_) {
            ++number;
            const auto function = [this, &layer, offsets, rotary = layer.global ? global : local,
                                   dropout = options.layer_dropout(number),
                                   pair_dropout = options.layer_pair_dropout(number)](const at::Tensor& in) {
                return run_one(layer, *offsets, rotary, in, Dropout(dropout), Dropout(pair_dropout));
            };
            x = run_layer(function, x, options);
        }
        return final_norm_.run(x);
    }

  private:
    TrainedLayerNorm norm(ParameterSet& set, const std::string& module) const {
        return {set, module, config_.hidden_size, config_.layer_norm_eps, config_.norm_bias};
    }

    void add_layer(ParameterSet& set, std::int64_t index) {
        const std::string prefix = "layers." + std::to_string(index) + ".";
        const std::int64_t hidden = config_.hidden_size;
        Layer layer;
        if (index > 0) {
            layer.attention_norm = norm(set, prefix + "attn_norm");
        }
        layer.qkv = {set, prefix + "attn.Wqkv", 3 * hidden, hidden, config_.attention_bias};
        layer.attention_output = {set, prefix + "attn.Wo", hidden, hidden, config_.attention_bias};
        layer.mlp_norm = norm(set, prefix + "mlp_norm");
        layer.input_gate = {set, prefix + "mlp.Wi", 2 * config_.intermediate_size, hidden, config_.mlp_bias};
        layer.output = {set, prefix + "mlp.Wo", hidden, config_.intermediate_size, config_.mlp_bias};
        layer.global = config_.global_layers[static_cast<std::size_t>(index)];
        layers_.push_back(std::move(layer));
    }

    at::Tensor run_one(const Layer& layer, std::span<const std::int64_t> offsets, const TrainedRotary& rotary,
                       const at::Tensor& x, const Dropout& dropout, const Dropout& pair_dropout) const {
        const std::int64_t hidden = config_.hidden_size;
        TrainedAttention attention;
        attention.heads = attention.kv_heads = config_.heads;
        attention.head_dim = hidden / config_.heads;
        attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
        if (!layer.global) {
            attention.before = attention.after = config_.local_reach;
        }
        const at::Tensor normed = layer.attention_norm ? layer.attention_norm->run(x) : x;
        const at::Tensor qkv = layer.qkv.run(normed.to(type_), pair_dropout);
        const at::Tensor q = rotary.turn(qkv.narrow(1, 0, hidden), config_.heads);
        const at::Tensor k = rotary.turn(qkv.narrow(1, hidden, hidden), config_.heads);
        const at::Tensor v = qkv.narrow(1, 2 * hidden, hidden).contiguous();
        const at::Tensor attended = layer.attention_output.run(attend_packed(attention, offsets, q, k, v), pair_dropout);
        const at::Tensor middle = add_rows(x, dropout.run(attended));
        const at::Tensor both = layer.input_gate.run(layer.mlp_norm.run(middle).to(type_), pair_dropout);
        const std::int64_t inner = config_.intermediate_size;
        const at::Tensor product = gated(config_.activation, both.narrow(1, 0, inner), both.narrow(1, inner, inner));
        return add_rows(middle, dropout.run(layer.output.run(product, pair_dropout)));
    }

    const EncoderConfig config_;
    const at::ScalarType type_;
    const bool rounded_;
    const RotaryConfig global_rotary_, local_rotary_;
    ParameterPtr words_;
    TrainedLayerNorm embedding_norm_;
    std::vector<Layer> layers_;
    TrainedLayerNorm final_norm_;
};

}  // namespace

std::unique_ptr<TrainedBody> make_modernbert_body(const EncoderConfig& config, ParameterSet& set) {
    return std::make_unique<ModernBertBody>(config, set);
}

}  // namespace rag::core::libtorch
