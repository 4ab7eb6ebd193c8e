// DistilBERT encoders (Sanh et al. 2019, https://arxiv.org/abs/1910.01108): BERT without token types, under other names.
// Thread rule: as EncoderCore.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/post_norm_names.hpp"

namespace rag::core::libtorch {
namespace {

class DistilBert : public PostNormEncoder {
  public:
    DistilBert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options)
        : PostNormEncoder(config, weights, "distilbert.", kDistilBertNames, options) {
        check_value(weights, "type_vocab_size", config_.type_vocab_size, 0, 0);
    }
};

}  // namespace

BackendStatus load_distilbert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                              std::unique_ptr<BackendEncoder>& out) noexcept {
    return load_encoder_core<DistilBert>(out, config, weights, options);
}

}  // namespace rag::core::libtorch
