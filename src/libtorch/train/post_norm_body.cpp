// BERT, RoBERTa, DistilBERT and MPNet with gradients: what post_norm_encoder.cpp computes, under the same names.
// Thread rule: on the trainer's worker.
#include "libtorch/arch/bert_names.hpp"
#include "libtorch/arch/positions.hpp"
#include "libtorch/arch/post_norm_names.hpp"
#include "libtorch/train/encoder_body.hpp"
#include "libtorch/train/trained_attention.hpp"

namespace rag::core::libtorch {
namespace {

struct Block {
    TrainedLinear query, key, value, attention_output, intermediate, output;
    TrainedLayerNorm attention_norm, output_norm;
};

const PostNormEncoderNames& names_of(const std::string& architecture) {
    if (architecture == "distilbert") {
        return kDistilBertNames;
    }
    return architecture == "mpnet" ? kMpnetNames : kBertNames;
}

class PostNormBody : public TrainedBody {
  public:
    PostNormBody(const EncoderConfig& config, ParameterSet& set)
        : config_(config),
          behind_padding_(config.architecture == "roberta" || config.architecture == "mpnet"),
          type_(set.type()),
          rounded_(set.options().fake_int8) {
        const PostNormEncoderNames& names = names_of(config.architecture);
        const auto table = [&](const char* module, std::int64_t rows) {
            return set.table(std::string(module) + ".weight", rows, config.hidden_size);
        };
        words_ = table(names.words, config.vocab_size);
        positions_ = table(names.positions, config.max_positions + (behind_padding_ ? config.padding_id + 1 : 0));
        if (config.type_vocab_size > 0) {
            types_ = table(names.types, config.type_vocab_size);
        }
        embedding_norm_ = {set, names.embedding_norm, config.hidden_size, config.layer_norm_eps};
        if (config.architecture == "mpnet") {
            bias_ = set.table(kMpnetBias, config.relative_buckets, config.heads);
        }
        for (std::int64_t i = 0; i < config.layers; ++i) {
            add_block(set, std::string(names.blocks) + "." + std::to_string(i) + ".", names.block);
        }
    }

    const ParameterPtr& words() const override { return words_; }

    at::Tensor run(const TokenBatch& batch, const PassOptions& options, const at::Tensor& anchor) const override {
        const TextGroup group{batch.ids, batch.type_ids, {batch.offsets.begin(), batch.offsets.end()}, batch.unpooled};
        at::Tensor x = look_up(words_, index_tensor(group.ids), anchor, rounded_);
        if (types_ != nullptr) {
            x = x.add(look_up(types_, index_tensor(std::span<const std::int32_t>(token_types(group))), anchor, rounded_));
        }
        const std::vector<std::int32_t> places =
            behind_padding_ ? positions_behind_padding(group, config_.padding_id) : positions_from_zero(group);
        x = x.add(look_up(positions_, index_tensor(std::span<const std::int32_t>(places)), anchor, rounded_));
        x = options.layer_dropout(0).run(embedding_norm_.run(x));
        TrainedAttention attention;
        attention.heads = attention.kv_heads = config_.heads;
        attention.head_dim = config_.hidden_size / config_.heads;
        attention.scale = 1.0 / std::sqrt(static_cast<double>(attention.head_dim));
        // A layer may be computed again when this call is over: it holds what it needs.
        const auto offsets = std::make_shared<const std::vector<std::int64_t>>(group.offsets);
        std::uint64_t number = 0;
        for (const Block& block : blocks_) {
            ++number;
            const Dropout dropout = options.layer_dropout(number);
            const Dropout pair_dropout = options.layer_pair_dropout(number);
            const auto layer = [this, &block, offsets, attention, dropout, pair_dropout, longest = longest_text(group),
                                anchor](const at::Tensor& in) {
                TrainedAttention shape = attention;
                if (bias_ != nullptr) {
                    shape.distance_bias = distance_bias(longest, anchor);
                }
                return run_block(block, *offsets, shape, in, Dropout(dropout), Dropout(pair_dropout));
            };
            x = run_layer(layer, x, options);
        }
        return x;
    }

  private:
    void add_block(ParameterSet& set, const std::string& prefix, const PostNormNames& names) {
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t inner = config_.intermediate_size;
        Block block;
        block.query = {set, prefix + names.query, hidden, hidden, true};
        block.key = {set, prefix + names.key, hidden, hidden, true};
        block.value = {set, prefix + names.value, hidden, hidden, true};
        block.attention_output = {set, prefix + names.attention_output, hidden, hidden, true};
        block.attention_norm = {set, prefix + names.attention_norm, hidden, config_.layer_norm_eps};
        block.intermediate = {set, prefix + names.intermediate, inner, hidden, true};
        block.output = {set, prefix + names.output, hidden, inner, true};
        block.output_norm = {set, prefix + names.output_norm, hidden, config_.layer_norm_eps};
        blocks_.push_back(std::move(block));
    }

    at::Tensor run_block(const Block& block, std::span<const std::int64_t> offsets, const TrainedAttention& attention,
                         const at::Tensor& x, const Dropout& dropout, const Dropout& pair_dropout) const {
        const auto of = [&](const TrainedLinear& linear, const at::Tensor& in) { return linear.run(in, pair_dropout); };
        const at::Tensor narrow = x.to(type_);
        const at::Tensor attended =
            attend_packed(attention, offsets, of(block.query, narrow), of(block.key, narrow), of(block.value, narrow));
        const Normed middle = block.attention_norm.run(x, dropout.run(of(block.attention_output, attended)), type_);
        const at::Tensor inner = activate(config_.activation, of(block.intermediate, middle.out));
        return block.output_norm.run(middle.sum, dropout.run(of(block.output, inner)), type_).sum;
    }

    // [2 * longest - 1, heads]
    at::Tensor distance_bias(std::int64_t longest, const at::Tensor& anchor) const {
        std::vector<std::int64_t> buckets;
        for (std::int64_t distance = 1 - longest; distance < longest; ++distance) {
            buckets.push_back(mpnet_distance_bucket(distance, config_.relative_buckets));
        }
        return look_up(bias_, index_tensor(std::span<const std::int64_t>(buckets)), anchor);
    }

    const EncoderConfig config_;
    const bool behind_padding_;
    const at::ScalarType type_;
    const bool rounded_;
    ParameterPtr words_, positions_, types_, bias_;
    TrainedLayerNorm embedding_norm_;
    std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<TrainedBody> make_post_norm_body(const EncoderConfig& config, ParameterSet& set) {
    return std::make_unique<PostNormBody>(config, set);
}

}  // namespace rag::core::libtorch
