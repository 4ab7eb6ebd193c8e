// Llama decoders: RMSNorm, rotary positions, grouped key and value heads, SwiGLU, tied or own output layer. A session appends ids
// to its cache in chunks; the sequence grows only when the whole call has succeeded. Activations between layers are float32.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/model_core.hpp"
#include "libtorch/kernels/rows.hpp"
#include "libtorch/kv_cache/kv_cache.hpp"
#include "libtorch/layers/attention.hpp"
#include "libtorch/layers/embedding.hpp"
#include "libtorch/layers/norm.hpp"

namespace rag::core::libtorch {
namespace {

// Ids that go through the layers together; bounds the memory of a long prompt.
constexpr std::int64_t kChunkTokens = 512;

struct LlamaLayer {
    RmsNorm attention_norm;
    Linear qkv;
    Linear attention_output;
    RmsNorm mlp_norm;
    Linear gate_up;
    Linear down;
};

// [rows, gate | up] -> silu(gate) * up, [rows, half]
at::Tensor swiglu(const at::Tensor& gate_up) {
    const std::int64_t half = gate_up.size(1) / 2;
    at::Tensor out = at::empty({gate_up.size(0), half}, at::kFloat);
    const float* from = gate_up.const_data_ptr<float>();
    float* to = out.mutable_data_ptr<float>();
    at::parallel_for(0, gate_up.size(0), 8, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
            const float* gate = from + row * 2 * half;
            kernels::silu_multiply_row(gate, gate + half, half, to + row * half);
        }
    });
    return out;
}

class Llama : public ModelCore {
  public:
    Llama(const DecoderConfig& config, const Weights& weights, const BackendOptions& options)
        : ModelCore(weights, "", options), config_(config), rotary_(config.head_dim, config.rope_theta) {
        check_config(weights);
    }

    const DecoderConfig& config() const { return config_; }

    void load() {
        const std::int64_t hidden = config_.hidden_size;
        worker.size_team(hidden * (config_.vocab_size + config_.layers * 3 * (hidden + config_.intermediate_size)));
        const at::Tensor table = source->float_tensor("model.embed_tokens.weight", {config_.vocab_size, hidden});
        embedding_ = Embedding(table, precision);
        for (std::int64_t i = 0; i < config_.layers; ++i) {
            layers_.push_back(load_layer("model.layers." + std::to_string(i) + "."));
        }
        norm_ = RmsNorm(*source, "model.norm", hidden, config_.rms_norm_eps);
        if (config_.tied_embeddings) {
            tied_head_ = pack_linear(table_precision(precision), {{table, at::Tensor()}}, true);
        } else {
            head_ = Linear(source, {{{"lm_head", config_.vocab_size, 0}}, hidden, false, true}, table_precision(precision));
        }
        loaded();
    }

    KvCache new_cache() const {
        const bool wide = precision == Precision::kFloat32;
        return KvCache(config_.layers, config_.kv_heads, config_.head_dim, config_.context_length,
                       wide ? at::kFloat : at::kBFloat16);
    }

    /// Appends ids at position `past`; the cache has room. Logits as in BackendSession::forward.
    void forward(std::span<const std::int32_t> ids, std::int64_t past, KvCache& cache, std::span<float> logits,
                 const HostCall& call) {
        const auto vocab = static_cast<std::size_t>(config_.vocab_size);
        worker.size_team(work(static_cast<std::int64_t>(ids.size())));
        const bool every = logits.size() == ids.size() * vocab;
        for (std::size_t begin = 0; begin < ids.size(); begin += kChunkTokens) {
            const std::size_t count = std::min<std::size_t>(kChunkTokens, ids.size() - begin);
            const bool last = begin + count == ids.size();
            const at::Tensor x = run_layers(ids.subspan(begin, count), past + static_cast<std::int64_t>(begin), cache, call);
            if (every && !logits.empty()) {
                write_logits(x, logits.data() + begin * vocab);
            } else if (last && !logits.empty()) {
                write_logits(x.narrow(0, x.size(0) - 1, 1), logits.data());
            }
        }
    }

  private:
    void check_config(const Weights& weights) const {
        constexpr std::int64_t kLimit = std::int64_t{1} << 24;
        check_value(weights, "vocab_size", config_.vocab_size, 1, kLimit);
        check_value(weights, "hidden_size", config_.hidden_size, 1, 65536);
        check_value(weights, "layers", config_.layers, 1, 1024);
        check_value(weights, "heads", config_.heads, 1, 65536);
        check_value(weights, "kv_heads", config_.kv_heads, 1, config_.heads);
        check_value(weights, "heads modulo kv_heads", config_.heads % config_.kv_heads, 0, 0);
        check_value(weights, "head_dim", config_.head_dim, 2, 4096);
        check_value(weights, "head_dim modulo 2", config_.head_dim % 2, 0, 0);
        check_value(weights, "intermediate_size", config_.intermediate_size, 1, kLimit);
        check_value(weights, "context_length", config_.context_length, 1, kLimit);
        if (!std::isfinite(config_.rope_theta) || config_.rope_theta <= 0.0) {
            fail(Code::kCorrupt, "the configuration of ", quote(weights.source), " says rope_theta = ", config_.rope_theta);
        }
    }

    LlamaLayer load_layer(const std::string& prefix) const {
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t query_rows = config_.heads * config_.head_dim;
        const std::int64_t key_rows = config_.kv_heads * config_.head_dim;
        const std::int64_t query_pairs = config_.interleaved_qk ? config_.heads : 0;
        const std::int64_t key_pairs = config_.interleaved_qk ? config_.kv_heads : 0;
        const LinearSpec qkv{{{prefix + "self_attn.q_proj", query_rows, query_pairs},
                              {prefix + "self_attn.k_proj", key_rows, key_pairs},
                              {prefix + "self_attn.v_proj", key_rows, 0}},
                             hidden,
                             false};
        const LinearSpec gate_up{
            {{prefix + "mlp.gate_proj", config_.intermediate_size, 0}, {prefix + "mlp.up_proj", config_.intermediate_size, 0}},
            hidden,
            false};
        return {RmsNorm(*source, prefix + "input_layernorm", hidden, config_.rms_norm_eps),
                Linear(source, qkv, precision),
                Linear(source, {{{prefix + "self_attn.o_proj", hidden, 0}}, query_rows, false}, precision),
                RmsNorm(*source, prefix + "post_attention_layernorm", hidden, config_.rms_norm_eps),
                Linear(source, gate_up, precision),
                Linear(source, {{{prefix + "mlp.down_proj", hidden, 0}}, config_.intermediate_size, false, true}, precision)};
    }

    // [ids] at positions past.. -> [ids, hidden], before the last norm; fills the cache.
    at::Tensor run_layers(std::span<const std::int32_t> ids, std::int64_t past, KvCache& cache, const HostCall& call) {
        const auto rows = static_cast<std::int64_t>(ids.size());
        rotary_.reserve(past + rows);
        at::Tensor x = at::empty({rows, config_.hidden_size}, at::kFloat);
        embedding_.lookup(ids, x);
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            poll(call);
            const LlamaLayer& layer = layers_[i];
            x.add_(layer.attention_output.run(attend(layer, layer.attention_norm.run(x), past, cache, i)));
            x.add_(layer.down.run(swiglu(layer.gate_up.run(layer.mlp_norm.run(x)))));
        }
        return x;
    }

    at::Tensor attend(const LlamaLayer& layer, const at::Tensor& x, std::int64_t past, KvCache& cache, std::size_t index) const {
        const std::int64_t rows = x.size(0);
        const std::int64_t heads = config_.heads;
        const std::int64_t kv_heads = config_.kv_heads;
        at::Tensor qkv = layer.qkv.run(x);  // [rows, (heads + 2 * kv_heads) * head_dim]
        rotary_.rotate(qkv.mutable_data_ptr<float>(), rows, qkv.size(1), heads + kv_heads, past);
        const at::Tensor by_head = qkv.view({rows, heads + 2 * kv_heads, config_.head_dim});
        cache.keys(index).narrow(1, past, rows).copy_(by_head.narrow(1, heads, kv_heads).transpose(0, 1));
        cache.values(index).narrow(1, past, rows).copy_(by_head.narrow(1, heads + kv_heads, kv_heads).transpose(0, 1));
        return attend_cached(by_head.narrow(1, 0, heads), cache.keys(index), cache.values(index), past);
    }

    void write_logits(const at::Tensor& x, float* out) const {
        at::Tensor to = at::from_blob(out, {x.size(0), config_.vocab_size}, at::kFloat);
        (tied_head_ ? *tied_head_ : head_.packed()).run(norm_.run(x), to);
    }

    std::vector<Linear*> linears() override {
        std::vector<Linear*> all;
        for (LlamaLayer& layer : layers_) {
            all.insert(all.end(), {&layer.qkv, &layer.attention_output, &layer.gate_up, &layer.down});
        }
        if (!tied_head_) {
            all.push_back(&head_);
        }
        return all;
    }

    std::uint64_t count_bytes() const override {
        std::uint64_t total = embedding_.size_bytes() + norm_.size_bytes();
        for (const LlamaLayer& layer : layers_) {
            for (const Linear* linear : {&layer.qkv, &layer.attention_output, &layer.gate_up, &layer.down}) {
                total += linear->packed().size_bytes();
            }
            total += layer.attention_norm.size_bytes() + layer.mlp_norm.size_bytes();
        }
        if (!tied_head_) {
            return total + head_.packed().size_bytes();
        }
        // In float32 a tied output layer is the embedding's own memory.
        return precision == Precision::kFloat32 ? total : total + tied_head_->size_bytes();
    }

    const DecoderConfig config_;
    RotaryTable rotary_;
    Embedding embedding_;
    std::vector<LlamaLayer> layers_;
    RmsNorm norm_;
    std::shared_ptr<const PackedLinear> tied_head_;
    Linear head_;
};

class LlamaSession : public BackendSession {
  public:
    explicit LlamaSession(std::shared_ptr<Llama> model) : model_(std::move(model)), cache_(model_->new_cache()) {}

    std::int64_t length() const noexcept override { return length_; }

    BackendStatus forward(std::span<const std::int32_t> ids, std::span<float> logits, const HostCall& call) noexcept override {
        return model_->worker.run([&] {
            check(ids, logits);
            const auto count = static_cast<std::int64_t>(ids.size());
            cache_.reserve(length_ + count, length_);
            model_->forward(ids, length_, cache_, logits, call);
            length_ += count;
        });
    }

    BackendStatus truncate(std::int64_t length) noexcept override {
        return guarded([&] {
            if (length < 0 || length > length_) {
                fail(Code::kInvalidArgument, "cannot truncate a sequence of ", length_, " tokens to ", length);
            }
            length_ = length;
        });
    }

  private:
    void check(std::span<const std::int32_t> ids, std::span<float> logits) const {
        const DecoderConfig& config = model_->config();
        const auto vocab = static_cast<std::size_t>(config.vocab_size);
        if (ids.empty()) {
            fail(Code::kInvalidArgument, "no token ids to append");
        }
        if (ids.size() > static_cast<std::size_t>(config.context_length - length_)) {
            fail(Code::kInvalidArgument, "a sequence of ", length_, " tokens and ", ids.size(),
                 " more exceed the model's context of ", config.context_length);
        }
        if (!logits.empty() && logits.size() != vocab && logits.size() != ids.size() * vocab) {
            fail(Code::kInvalidArgument, "room for ", logits.size(), " logits, expected 0, ", vocab, " or ", ids.size() * vocab);
        }
        check_ids(ids, config.vocab_size, "token id");
    }

    std::shared_ptr<Llama> model_;
    KvCache cache_;
    std::int64_t length_ = 0;
};

class LlamaDecoder : public CoreModel<BackendDecoder, Llama> {
  public:
    using CoreModel::CoreModel;

    BackendStatus new_session(std::unique_ptr<BackendSession>& out) noexcept override {
        return guarded([&] { out = std::make_unique<LlamaSession>(core_); });
    }
};

}  // namespace

BackendStatus load_llama(const DecoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendDecoder>& out) noexcept {
    return guarded([&] {
        auto core = std::make_shared<Llama>(config, weights, options);
        BackendStatus status = core->worker.run([&] { core->load(); });
        if (!status.ok()) {
            throw BackendError(static_cast<Code>(status.code), status.text);
        }
        out = std::make_unique<LlamaDecoder>(std::move(core));
    });
}

}  // namespace rag::core::libtorch
