// DistilBERT encoders (Sanh et al. 2019, https://arxiv.org/abs/1910.01108): BERT without token types, under other names.
// Thread rule: as EncoderCore.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/post_norm_encoder.hpp"

namespace rag::core::libtorch {
namespace {

constexpr PostNormEncoderNames kNames = {"embeddings.word_embeddings",
                                         "embeddings.position_embeddings",
                                         "",
                                         "embeddings.LayerNorm",
                                         "transformer.layer",
                                         {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
                                          "sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"}};

class DistilBert : public PostNormEncoder {
  public:
    DistilBert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options)
        : PostNormEncoder(config, weights, "distilbert.", kNames, options) {
        check_value(weights, "type_vocab_size", config_.type_vocab_size, 0, 0);
    }
};

}  // namespace

BackendStatus load_distilbert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                              std::unique_ptr<BackendEncoder>& out) noexcept {
    return load_encoder_core<DistilBert>(config, weights, options, out);
}

}  // namespace rag::core::libtorch
