// Decoders with gradients: what decoder_body.cpp computes from the same DecoderParts, over whole texts.
// Thread rule: on the trainer's worker.
#include "libtorch/arch/arch.hpp"
#include "libtorch/train/trained_attention.hpp"
#include "libtorch/train/trained_body.hpp"
#include "libtorch/train/trained_rotary.hpp"

namespace rag::core::libtorch {
namespace {

struct GatedPart {
    TrainedLinear gate, up, down;
};

struct ExpertsPart {
    TrainedLinear router;
    std::vector<GatedPart> experts;
};

struct Layer {
    TrainedRmsNorm attention_norm, mlp_norm;
    TrainedLinear query, key, value, attention_output;
    std::optional<TrainedRmsNorm> query_norm, key_norm, attention_output_norm, mlp_output_norm;
    std::optional<GatedPart> mlp;  // this or
    std::optional<ExpertsPart> experts;
    bool windowed = false;
};

class DecoderTrainedBody : public TrainedBody {
  public:
    DecoderTrainedBody(const DecoderConfig& config, const DecoderParts& parts, ParameterSet& set)
        : config_(config),
          parts_(parts),
          type_(set.type()),
          rounded_(set.options().fake_int8),
          words_(set.table("model.embed_tokens.weight", config.vocab_size, config.hidden_size)) {
        for (std::int64_t i = 0; i < config.layers; ++i) {
            add_layer(set, i);
        }
        norm_ = norm(set, "model.norm", config.hidden_size);
    }

    const ParameterPtr& words() const override { return words_; }

    at::Tensor run(const TokenBatch& batch, const PassOptions& options, const at::Tensor& anchor) const override {
        at::Tensor x = look_up(words_, index_tensor(batch.ids), anchor, rounded_);
        if (parts_.embedding_scale != 1.0F) {
            x = x.mul(parts_.embedding_scale);
        }
        x = options.layer_dropout(0).run(x);
        const TrainedRotary rotary(config_.rotary, batch.offsets);
        std::optional<TrainedRotary> local;
        if (!config_.local_rotary.frequencies.empty()) {
            local.emplace(config_.local_rotary, batch.offsets);
        }
        // A layer may be computed again when this call is over: it holds what it needs.
        const auto offsets = std::make_shared<const std::vector<std::int64_t>>(batch.offsets.begin(), batch.offsets.end());
        std::uint64_t number = 0;
        for (const Layer& layer : layers_) {
            ++number;
            const auto function = [this, &layer, offsets, turns = layer.windowed && local ? *local : rotary,
                                   dropout = options.layer_dropout(number),
                                   pair_dropout = options.layer_pair_dropout(number)](const at::Tensor& in) {
                const Dropout added(dropout);
                const Dropout inputs(pair_dropout);
                return feed_forward(layer, in, attend(layer, *offsets, turns, in, added, inputs), added, inputs);
            };
            x = run_layer(function, x, options);
        }
        return norm_.run(x, at::kFloat);
    }

  private:
    TrainedRmsNorm norm(ParameterSet& set, const std::string& module, std::int64_t columns) const {
        return {set, module, columns, config_.rms_norm_eps, config_.unit_offset_norms};
    }

    void add_layer(ParameterSet& set, std::int64_t index) {
        const std::string prefix = "model.layers." + std::to_string(index) + ".";
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t query_rows = config_.heads * config_.head_dim;
        const std::int64_t key_rows = config_.kv_heads * config_.head_dim;
        const auto place = static_cast<std::size_t>(index);
        Layer layer;
        layer.windowed = !config_.windowed.empty() && config_.windowed[place] != 0;
        layer.attention_norm = norm(set, prefix + "input_layernorm", hidden);
        layer.query = {
            set, prefix + "self_attn.q_proj", query_rows, hidden, parts_.qkv_bias, config_.interleaved_qk ? config_.heads : 0};
        layer.key = {
            set, prefix + "self_attn.k_proj", key_rows, hidden, parts_.qkv_bias, config_.interleaved_qk ? config_.kv_heads : 0};
        layer.value = {set, prefix + "self_attn.v_proj", key_rows, hidden, parts_.qkv_bias};
        layer.attention_output = {set, prefix + "self_attn.o_proj", hidden, query_rows, parts_.output_bias};
        if (parts_.head_norms) {
            layer.query_norm = norm(set, prefix + "self_attn.q_norm", config_.head_dim);
            layer.key_norm = norm(set, prefix + "self_attn.k_norm", config_.head_dim);
        }
        layer.mlp_norm = norm(set, prefix + parts_.mlp_norm, hidden);
        add_mlp(set, prefix, config_.experts > 0 && (config_.sparse.empty() || config_.sparse[place] != 0), layer);
        if (parts_.attention_output_norm != nullptr) {
            layer.attention_output_norm = norm(set, prefix + parts_.attention_output_norm, hidden);
        }
        if (parts_.mlp_output_norm != nullptr) {
            layer.mlp_output_norm = norm(set, prefix + parts_.mlp_output_norm, hidden);
        }
        layers_.push_back(std::move(layer));
    }

    void add_mlp(ParameterSet& set, const std::string& prefix, bool sparse, Layer& layer) const {
        const std::int64_t hidden = config_.hidden_size;
        const auto gated = [&](const std::string& gate, const std::string& up, const std::string& down, std::int64_t inner,
                               bool bias) {
            return GatedPart{{set, gate, inner, hidden, bias}, {set, up, inner, hidden, bias}, {set, down, hidden, inner, bias}};
        };
        if (!sparse) {
            layer.mlp = gated(prefix + "mlp.gate_proj", prefix + "mlp.up_proj", prefix + "mlp.down_proj",
                              config_.intermediate_size, config_.mlp_bias);
            return;
        }
        ExpertsPart& experts = layer.experts.emplace();
        experts.router = {set, prefix + parts_.experts.router, config_.experts, hidden, false};
        for (std::int64_t i = 0; i < config_.experts; ++i) {
            experts.experts.push_back(gated(numbered(prefix + parts_.experts.gate, i), numbered(prefix + parts_.experts.up, i),
                                            numbered(prefix + parts_.experts.down, i), config_.expert_size, false));
        }
    }

    at::Tensor attend(const Layer& layer, std::span<const std::int64_t> offsets, const TrainedRotary& rotary, const at::Tensor& x,
                      const Dropout& dropout, const Dropout& pair_dropout) const {
        const at::Tensor in = layer.attention_norm.run(x, type_);
        const auto heads = [&](const TrainedLinear& linear, const std::optional<TrainedRmsNorm>& head_norm, std::int64_t count) {
            at::Tensor out = linear.run(in, pair_dropout);
            if (head_norm) {
                out = head_norm->run(out.view({out.size(0), count, config_.head_dim}).to(at::kFloat), type_).view(out.sizes());
            }
            return rotary.turn(out, count);
        };
        TrainedAttention attention;
        attention.heads = config_.heads;
        attention.kv_heads = config_.kv_heads;
        attention.head_dim = config_.head_dim;
        attention.scale = config_.query_scale > 0.0F ? static_cast<double>(config_.query_scale)
                                                     : 1.0 / std::sqrt(static_cast<double>(config_.head_dim));
        attention.causal = true;
        attention.before = layer.windowed ? config_.window - 1 : -1;
        attention.softcap = config_.attention_softcap;
        const at::Tensor attended =
            attend_packed(attention, offsets, heads(layer.query, layer.query_norm, config_.heads),
                          heads(layer.key, layer.key_norm, config_.kv_heads), layer.value.run(in, pair_dropout));
        at::Tensor added = layer.attention_output.run(attended, pair_dropout);
        if (layer.attention_output_norm) {
            added = layer.attention_output_norm->run(added.to(at::kFloat), type_);
        }
        return dropout.run(added);
    }

    at::Tensor run_gated(const GatedPart& part, const at::Tensor& x, const Dropout& pair_dropout) const {
        const at::Tensor product = gated(parts_.activation, part.gate.run(x, pair_dropout), part.up.run(x, pair_dropout));
        return part.down.run(product, pair_dropout);
    }

    // x and what attention adds to it.
    at::Tensor feed_forward(const Layer& layer, const at::Tensor& x, const at::Tensor& attended, const Dropout& dropout,
                            const Dropout& pair_dropout) const {
        const Normed normed = layer.mlp_norm.run(x, attended, type_);
        at::Tensor added =
            layer.mlp ? run_gated(*layer.mlp, normed.out, pair_dropout) : run_experts(*layer.experts, normed.out, pair_dropout);
        if (layer.mlp_output_norm) {
            added = layer.mlp_output_norm->run(added.to(at::kFloat), type_);
        }
        return add_rows(normed.sum, dropout.run(added));
    }

    at::Tensor run_experts(const ExpertsPart& part, const at::Tensor& x, const Dropout& pair_dropout) const {
        const at::Tensor shares = at::softmax(part.router.run(x, pair_dropout).to(at::kFloat), -1);
        auto [weights, chosen] = at::topk(shares, config_.experts_per_token, -1);
        if (config_.normalize_experts) {
            weights = weights.div(weights.sum(-1, true));
        }
        at::Tensor out = at::zeros(x.sizes(), at::kFloat);
        for (std::size_t i = 0; i < part.experts.size(); ++i) {
            const at::Tensor places = chosen.eq(static_cast<std::int64_t>(i)).nonzero();  // [tokens of the expert, 2]
            if (places.size(0) == 0) {
                continue;
            }
            const at::Tensor rows = places.select(1, 0).contiguous();
            const at::Tensor flat = rows.mul(config_.experts_per_token).add(places.select(1, 1));
            const at::Tensor results = run_gated(part.experts[i], at::index_select(x, 0, rows), pair_dropout);
            const at::Tensor share = at::index_select(weights.reshape({-1}), 0, flat).unsqueeze(1);
            out = out.index_add(0, rows, results.to(at::kFloat).mul(share));
        }
        return out.to(type_);
    }

    const DecoderConfig config_;
    const DecoderParts parts_;
    const at::ScalarType type_;
    const bool rounded_;
    ParameterPtr words_;
    std::vector<Layer> layers_;
    TrainedRmsNorm norm_;
};

}  // namespace

std::unique_ptr<TrainedBody> make_decoder_body(const DecoderConfig& config, ParameterSet& set) {
    for (const auto& [name, describe] : kDecoders) {
        if (config.architecture == name) {
            return std::make_unique<DecoderTrainedBody>(config, describe(config), set);
        }
    }
    fail(Code::kUnsupported, quote(set.source().source()), " is of architecture ", quote(config.architecture),
         ", which cannot be trained");
}

}  // namespace rag::core::libtorch
