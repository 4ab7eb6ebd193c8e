// MPNet encoders (Song et al. 2020, https://arxiv.org/abs/2004.09297): BERT without token types, positions as RoBERTa counts
// them, and a bias on every pair of positions by the bucket of their distance, one table for all layers (buckets as in T5, Raffel
// et al. 2020, https://arxiv.org/abs/1910.10683). Thread rule: as EncoderCore.
#include "libtorch/arch/arch.hpp"
#include "libtorch/arch/positions.hpp"
#include "libtorch/arch/post_norm_names.hpp"
#include "libtorch/layers/attention.hpp"

namespace rag::core::libtorch {
namespace {

// Distances from here on share the last bucket; a constant in MPNet.
constexpr double kFarthest = 128.0;

class MpNet : public PostNormEncoder {
  public:
    MpNet(const EncoderConfig& config, const Weights& weights, const BackendOptions& options)
        : PostNormEncoder(config, weights, "mpnet.", kMpnetNames, options) {
        check_value(weights, "type_vocab_size", config_.type_vocab_size, 0, 0);
        check_value(weights, "relative_buckets", config_.relative_buckets, 4, 65536);
    }

  private:
    void load_layers() override {
        PostNormEncoder::load_layers();
        bias_ = source->kept_tensor(kMpnetBias, {config_.relative_buckets, config_.heads}).cpu();  // read here
    }

    std::vector<std::int32_t> positions(const TextGroup& group) const override {
        return positions_behind_padding(group, config_.padding_id);
    }
    std::int64_t position_rows() const override { return config_.max_positions + config_.padding_id + 1; }

    at::Tensor attend(const at::Tensor& qkv, const TextGroup& group) const override {
        const std::int64_t longest = longest_text(group);
        const std::vector<float> bias = biases(longest);
        AttentionShape shape = attention();
        shape.longest = longest;
        shape.distance_bias = bias;
        return attend_texts(qkv, group.offsets, shape);
    }

    // [heads, 2 * longest - 1]: the bias of distance d at longest - 1 + d
    std::vector<float> biases(std::int64_t longest) const {
        std::vector<float> out;
        out.reserve(static_cast<std::size_t>(config_.heads * (2 * longest - 1)));
        const float* table = bias_.const_data_ptr<float>();
        for (std::int64_t head = 0; head < config_.heads; ++head) {
            for (std::int64_t distance = 1 - longest; distance < longest; ++distance) {
                out.push_back(table[mpnet_distance_bucket(distance, config_.relative_buckets) * config_.heads + head]);
            }
        }
        return out;
    }

    std::uint64_t other_bytes() const override { return PostNormEncoder::other_bytes() + bias_.nbytes(); }

    at::Tensor bias_;  // [buckets, heads]
};

}  // namespace

// Half of the buckets are for keys behind the query; of each half one half holds single distances, the other growing ranges.
std::int64_t mpnet_distance_bucket(std::int64_t distance, std::int64_t buckets) {
    const std::int64_t half = buckets / 2;
    const std::int64_t single = half / 2;
    const std::int64_t away = std::abs(distance);
    const std::int64_t side = distance > 0 ? half : 0;
    if (away < single) {
        return side + away;
    }
    const auto exact = static_cast<float>(single);
    const float share =
        std::log(static_cast<float>(away) / exact) / static_cast<float>(std::log(kFarthest / static_cast<double>(single)));
    const auto range = static_cast<std::int64_t>(share * static_cast<float>(half - single));
    return side + std::min(single + range, half - 1);
}

BackendStatus load_mpnet(const EncoderConfig& config, const Weights& weights, const BackendOptions& options,
                         std::unique_ptr<BackendEncoder>& out) noexcept {
    return load_encoder_core<MpNet>(out, config, weights, options);
}

}  // namespace rag::core::libtorch
