// Decoders as encoders (Qwen3-Embedding, Qwen3-Reranker: https://arxiv.org/abs/2506.05176): a decoder's layers and last norm over
// packed texts without a cache, in which a token sees itself and what is before it in its text; then pooling and stages as of any
// encoder. The output layer is not there: a reranker brings the rows of it that it needs as a stage.
// Thread rule: as EncoderCore.
#include "libtorch/arch/decoder_encoder.hpp"

#include "libtorch/arch/encoder_core.hpp"

namespace rag::core::libtorch {
namespace {

class DecoderEncoder : public EncoderCore {
  public:
    DecoderEncoder(const EncoderConfig& config, const DecoderParts& parts, const Weights& weights, const BackendOptions& options)
        : EncoderCore(config, weights, "", options), body_(*config.decoder, parts) {
        const DecoderConfig& decoder = *config.decoder;
        check_decoder_config(decoder, weights);
        check_value(weights, "hidden_size of the decoder", decoder.hidden_size, config.hidden_size, config.hidden_size);
        check_value(weights, "vocab_size of the decoder", decoder.vocab_size, config.vocab_size, config.vocab_size);
        check_value(weights, "max_positions", config.max_positions, 1, decoder.context_length);
        check_value(weights, "type_vocab_size", config.type_vocab_size, 0, 0);
    }

  private:
    void load_layers() override { body_.load(source, plan_); }

    at::Tensor run_layers(const TextGroup& group, const HostCall& call) override {
        std::vector<SequenceRows> texts;
        for (std::size_t text = 0; text + 1 < group.offsets.size(); ++text) {
            const std::int64_t first = group.offsets[text];
            const std::int64_t tokens = group.offsets[text + 1] - first;
            SequenceRows& rows = texts.emplace_back();
            rows.ids = group.ids.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(tokens));
            rows.length = tokens;
            if (!group.adapters.empty()) {
                rows.adapters = group.adapters[text];
            }
        }
        return body_.finish(body_.run(texts, call));
    }

    void list_linears(std::vector<Linear*>& out) override { out = body_.linears(); }

    void list_layer_norms(std::vector<NormTensors>& out) override { body_.list_norms(out); }

    std::uint64_t other_bytes() const override {
        std::uint64_t linears = 0;
        // Only the list is not const: it is made for adapters, which change what it points to.
        for (const Linear* linear : const_cast<DecoderBody&>(body_).linears()) {
            linears += linear->packed().size_bytes();
        }
        return body_.size_bytes() - linears;
    }

    DecoderBody body_;
};

}  // namespace

BackendStatus load_decoder_encoder(const EncoderConfig& config, const DecoderParts& parts, const Weights& weights,
                                   const BackendOptions& options, std::unique_ptr<BackendEncoder>& out) noexcept {
    return load_encoder_core<DecoderEncoder>(out, config, parts, weights, options);
}

}  // namespace rag::core::libtorch
