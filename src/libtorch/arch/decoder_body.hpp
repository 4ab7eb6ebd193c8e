// What decoders have in common: embedding, layers of attention over cached or present keys and a gated feed-forward part or a
// mixture of experts, the last norm. An architecture's file says with DecoderParts what its layers consist of; numbers come from
// DecoderConfig. Several sequences go through the layers in one packed pass. Activations between layers are float32.
// In: ids by sequence; out: hidden states [rows, hidden]. Not for: logits and sessions (decoder_model.hpp), pooling.
// Thread rule: on the model's worker; run() changes nothing but the caches it is given.
#pragma once

#include "libtorch/arch/model_core.hpp"
#include "libtorch/kv_cache/kv_cache.hpp"
#include "libtorch/layers/embedding.hpp"
#include "libtorch/layers/experts.hpp"
#include "libtorch/layers/norm.hpp"
#include "libtorch/layers/rotary.hpp"
#include "libtorch/lora/kept_adapter.hpp"

namespace rag::core::libtorch {

/// The modules of a mixture of experts, below a layer; {} stands for the number of an expert.
struct ExpertNames {
    const char* router = "mlp.gate";
    const char* gate = "mlp.experts.{}.gate_proj";
    const char* up = "mlp.experts.{}.up_proj";
    const char* down = "mlp.experts.{}.down_proj";
};

/// `pattern` with `number` in the place of {}.
std::string numbered(const std::string& pattern, std::int64_t number);

/// What the layers of an architecture consist of. Module names are below a layer ("input_layernorm").
struct DecoderParts {
    bool qkv_bias = false;
    bool output_bias = false;  // of the projection behind attention
    bool head_norms = false;   // RMSNorm of every query and key head, before rotation
    const char* mlp_norm = "post_attention_layernorm";
    const char* attention_output_norm = nullptr;  // a norm of what attention adds, if there is one
    const char* mlp_output_norm = nullptr;        // likewise of the feed-forward part
    Activation activation = Activation::kSilu;
    float embedding_scale = 1.0F;
    ExpertNames experts;
};

/// One sequence of a pass.
struct SequenceRows {
    std::span<const std::int32_t> ids;
    std::int64_t past = 0;    // positions before the first id
    std::int64_t length = 0;  // of the sequence when the call is done, past + ids or more
    std::span<const AdapterShare> adapters;
    KvCache* cache = nullptr;  // with room for the ids; null: they see one another and nothing is kept (past is 0)
};

/// Rotary numbers or sizes that contradict each other are errors that name the configuration.
void check_decoder_config(const DecoderConfig& config, const Weights& weights);

class DecoderBody {
  public:
    DecoderBody(const DecoderConfig& config, const DecoderParts& parts) : config_(config), parts_(parts) {}
    DecoderBody(const DecoderBody&) = delete;
    DecoderBody& operator=(const DecoderBody&) = delete;

    void load(const std::shared_ptr<const WeightSource>& source, const PrecisionPlan& plan);
    /// `type`: of the elements, at::kFloat, at::kBFloat16 or at::kChar.
    KvCache new_cache(at::ScalarType type) const;

    /// [rows, hidden] float32 of all sequences one after another, before the last norm. Ids were checked before.
    at::Tensor run(std::span<const SequenceRows> sequences, const HostCall& call) const;
    /// The last norm.
    at::Tensor finish(const at::Tensor& x) const { return norm_.run(x); }

    const DecoderConfig& config() const { return config_; }
    /// What the embedding, and an output layer that is tied to it, are kept in.
    Precision table_kept() const { return table_kept_; }
    /// The embedding as an output layer may use it; null where it is kept otherwise.
    const std::shared_ptr<const Int8Panels>& shared_table() const { return shared_table_; }
    std::vector<Linear*> linears();
    void list_norms(std::vector<NormTensors>& out);
    std::uint64_t size_bytes() const;

  private:
    struct Layer {
        RmsNorm attention_norm;
        Linear qkv;
        std::optional<RmsNorm> query_norm;  // of one head
        std::optional<RmsNorm> key_norm;
        Linear attention_output;
        std::optional<RmsNorm> attention_output_norm;
        RmsNorm mlp_norm;
        std::optional<GatedMlp> mlp;  // this or
        std::optional<Experts> experts;
        std::optional<RmsNorm> mlp_output_norm;
        bool windowed = false;
    };
    struct Pass;

    RmsNorm load_norm(const WeightSource& source, const std::string& module, std::int64_t columns) const;
    void load_attention(const std::shared_ptr<const WeightSource>& source, const PrecisionPlan& plan, const std::string& prefix,
                        Layer& layer) const;
    void load_mlp(const std::shared_ptr<const WeightSource>& source, const PrecisionPlan& plan, const std::string& prefix,
                  bool sparse, Layer& layer) const;
    AttentionShape attention_shape(const Layer& layer) const;
    void run_layer(std::size_t index, const Pass& pass, at::Tensor& x) const;
    // Turned already: [rows, (heads + 2 * kv_heads) * head_dim]
    at::Tensor queries(const Layer& layer, const Pass& pass, const at::Tensor& x) const;
    bool finishes_in_blocks(const Layer& layer, const Pass& pass, std::int64_t rows) const;
    at::Tensor queries_in_blocks(const Layer& layer, const RotaryRows& rotary, const at::Tensor& x) const;
    void finish_in_blocks(const Layer& layer, const at::Tensor& attended, at::Tensor& x) const;
    const RotaryRows& rotary_of(const Layer& layer, const Pass& pass) const;
    void turn_row(const Layer& layer, const RotaryRows& rotary, std::int64_t row, float* qkv) const;
    void turn_heads(const Layer& layer, const RotaryRows& rotary, at::Tensor& qkv) const;
    at::Tensor attend(std::size_t index, const Pass& pass, const at::Tensor& qkv) const;
    at::Tensor feed_forward(const Layer& layer, const Pass& pass, const at::Tensor& x) const;

    const DecoderConfig config_;
    const DecoderParts parts_;
    c10::Device device_{at::kCPU};
    std::shared_ptr<const Int8Panels> shared_table_;
    Precision table_kept_ = Precision::kFloat32;
    Embedding embedding_;
    bool narrow_attention_ = false;
    std::vector<Layer> layers_;
    RmsNorm norm_;
};

}  // namespace rag::core::libtorch
