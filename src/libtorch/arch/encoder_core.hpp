// What every encoder architecture has: texts packed end to end without padding go through the layers in groups of about equal
// size, a thread a group where there are several; attention runs within each text, then pooling and the stages behind it (heads,
// Dense modules). An architecture brings the embeddings and the layers. Activations between layers are float32 in every
// precision. Thread rule: encode() on the model's worker.
#pragma once

#include "libtorch/arch/model_core.hpp"
#include "libtorch/layers/attention.hpp"
#include "libtorch/layers/embedding.hpp"
#include "libtorch/layers/norm.hpp"

namespace rag::core::libtorch {

/// Texts that go through the layers together.
struct TextGroup {
    std::span<const std::int32_t> ids;
    std::span<const std::int32_t> type_ids;                        // empty: all 0
    std::vector<std::int64_t> offsets;                             // texts + 1 entries, the first is 0
    std::int64_t unpooled = 0;                                     // as in TokenBatch
    std::span<const std::span<const AdapterShare>> adapters = {};  // likewise
    RowAdapters token_adapters = {};                               // the same, of every token
    RowAdapters text_adapters = {};                                // of every text
    std::int64_t tokens() const { return offsets.back(); }
};

class EncoderCore : public ModelCore {
  public:
    /// `prefix`: as WeightSource's. Values of the configuration outside their limits are an error that names them.
    EncoderCore(const EncoderConfig& config, const Weights& weights, std::string_view prefix, const BackendOptions& options);

    /// Reads and packs all weights; on the worker.
    void load();
    /// See BackendEncoder::encode.
    void encode(const TokenBatch& batch, std::span<float> out, const HostCall& call);

  protected:
    /// The embeddings and layers.
    virtual void load_layers() = 0;
    /// -> [tokens, hidden] float32, or [texts, hidden] where first_tokens_suffice(); polls `call` once a layer. Several threads
    /// may run it at once; then it runs on the calling thread alone.
    virtual at::Tensor run_layers(const TextGroup& group, const HostCall& call) = 0;
    virtual void list_linears(std::vector<Linear*>& out) = 0;
    /// Norms of the embeddings and layers.
    virtual void list_layer_norms(std::vector<NormTensors>& out) = 0;
    /// Bytes of everything but the linear layers and the stages.
    virtual std::uint64_t other_bytes() const = 0;

    Embedding load_table(const std::string& module, std::int64_t rows) const;
    LayerNorm load_norm(const std::string& module, bool bias = true) const;
    /// Whether nothing but the first token of each text is pooled; then the last layer need not compute the others.
    bool first_tokens_suffice(const TextGroup& group) const;
    /// Heads, their dimensions and scale; rounded where the precision rounds activations anyway.
    AttentionShape attention() const;
    std::size_t hidden() const { return static_cast<std::size_t>(config_.hidden_size); }

    const EncoderConfig config_;
    const PrecisionPlan plan_;

  private:
    struct Stage {
        Linear linear;
        Activation activation;
        std::optional<LayerNorm> norm;
    };
    void check_config(const Weights& weights) const;
    void check_batch(const TokenBatch& batch, std::size_t out_size) const;
    void load_stages();
    /// Texts first .. last - 1 of the batch.
    void run_group(const TokenBatch& batch, std::size_t first, std::size_t last, std::span<float> out, const HostCall& call);
    void finish(const at::Tensor& x, const TextGroup& group, float* out) const;
    std::vector<Linear*> linears() override;
    void list_norms(std::vector<NormTensors>& out) override;
    std::uint64_t count_bytes() const override;

    std::vector<Stage> stages_;
};

/// BackendEncoder over a core.
class CoreEncoder : public CoreModel<BackendEncoder, EncoderCore> {
  public:
    using CoreModel::CoreModel;
    BackendStatus encode(const TokenBatch& batch, std::span<float> out, const HostCall& call) noexcept override {
        return core_->worker.run([&] { core_->encode(batch, out, call); });
    }
};

/// Makes the model of an architecture; Core is constructed from the arguments.
template <typename Core, typename... Arguments>
BackendStatus load_encoder_core(std::unique_ptr<BackendEncoder>& out, const Arguments&... arguments) noexcept {
    return guarded([&] {
        std::shared_ptr<EncoderCore> core = std::make_shared<Core>(arguments...);
        const BackendStatus status = core->worker.run([&] { core->load(); });
        if (!status.ok()) {
            throw BackendError(static_cast<Code>(status.code), status.text);
        }
        out = std::make_unique<CoreEncoder>(std::move(core));
    });
}

}  // namespace rag::core::libtorch
