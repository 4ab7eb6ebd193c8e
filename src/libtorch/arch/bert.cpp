// BERT encoders (Devlin et al. 2018, https://arxiv.org/abs/1810.04805): positions from 0, token types.
// Thread rule: as EncoderCore.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/bert_names.hpp"

namespace rag::core::libtorch {
namespace {

class Bert : public PostNormEncoder {
  public:
    Bert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options)
        : PostNormEncoder(config, weights, "bert.", kBertNames, options) {}

  private:
    std::span<const std::string_view> unused_modules() const override { return bert_unused_modules(config_); }
};

}  // namespace

BackendStatus load_bert(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                        std::unique_ptr<BackendEncoder>& out) noexcept {
    return load_encoder_core<Bert>(out, config, weights, options);
}

}  // namespace rag::core::libtorch
