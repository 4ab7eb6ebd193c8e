// RoBERTa and XLM-RoBERTa encoders (Liu et al. 2019, https://arxiv.org/abs/1907.11692; Conneau et al. 2019,
// https://arxiv.org/abs/1911.02116): BERT whose positions begin behind the padding's id, as fairseq counts them.
// Thread rule: as EncoderCore.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/bert_names.hpp"
#include "libtorch/arch/positions.hpp"

namespace rag::core::libtorch {
namespace {

class Roberta : public PostNormEncoder {
  public:
    Roberta(const EncoderConfig& config, const Weights& weights, const BackendOptions& options)
        : PostNormEncoder(config, weights, "roberta.", kBertNames, options) {}

  private:
    std::vector<std::int32_t> positions(const TextGroup& group) const override {
        return positions_behind_padding(group, config_.padding_id);
    }
    std::int64_t position_rows() const override { return config_.max_positions + config_.padding_id + 1; }
    std::span<const std::string_view> unused_modules() const override { return bert_unused_modules(config_); }
};

}  // namespace

BackendStatus load_roberta(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                           std::unique_ptr<BackendEncoder>& out) noexcept {
    return load_encoder_core<Roberta>(out, config, weights, options);
}

}  // namespace rag::core::libtorch
