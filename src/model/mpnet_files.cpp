// MPNet: no token types, positions counted as RoBERTa's, a table of biases by distance for all layers.
#include "core/error.hpp"
#include "model/encoder_family.hpp"

namespace rag::core {
namespace {

constexpr std::int64_t kPaddingId = 1;         // a constant of MPNetEmbeddings, whatever config.json says
constexpr std::int64_t kComputedBuckets = 32;  // and of MPNetEncoder

EncoderConfig read_config(const std::filesystem::path& folder) {
    const std::string file = (folder / "config.json").string();
    BertFolderConfig from = read_bert_config(folder);
    from.type_vocab_size = 0;
    EncoderConfig config = bert_like_config(from, "mpnet", file);
    if (from.relative_buckets != kComputedBuckets)
        fail(Code::kUnsupported, "{}: relative_attention_num_buckets {}; {} are supported", quote(file, 400),
             from.relative_buckets, kComputedBuckets);
    config.relative_buckets = from.relative_buckets;
    config.padding_id = kPaddingId;
    config.max_positions = from.max_positions - kPaddingId - 1;
    if (config.max_positions < 1)
        fail(Code::kCorrupt, "{}: max_position_embeddings {} leave no position behind the padding's {}", quote(file, 400),
             from.max_positions, kPaddingId);
    return config;
}

std::vector<ExpectedTensor> list_tensors(const EncoderConfig& config) {
    const std::int64_t hidden = config.hidden_size;
    std::vector<ExpectedTensor> tensors;
    expect_table(tensors, "embeddings.word_embeddings", config.vocab_size, hidden);
    expect_table(tensors, "embeddings.position_embeddings", config.max_positions + config.padding_id + 1, hidden);
    expect_norm(tensors, "embeddings.LayerNorm", hidden);
    expect_table(tensors, "encoder.relative_attention_bias", config.relative_buckets, config.heads);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("encoder.layer.{}.", i);
        for (const char* part : {"q", "k", "v", "o"}) expect_linear(tensors, layer + "attention.attn." + part, hidden, hidden);
        expect_norm(tensors, layer + "attention.LayerNorm", hidden);
        expect_linear(tensors, layer + "intermediate.dense", config.intermediate_size, hidden);
        expect_linear(tensors, layer + "output.dense", hidden, config.intermediate_size);
        expect_norm(tensors, layer + "output.LayerNorm", hidden);
    }
    return tensors;
}

/// MPNetClassificationHead.
ClassifierHead read_head(const EncoderConfig& config, const ClassifierFolderConfig& classifier, const std::string&) {
    ClassifierHead head;
    head.stages = {{"classifier.dense", config.hidden_size, true, Activation::kTanh, ""},
                   {"classifier.out_proj", static_cast<std::int64_t>(classifier.labels.size()), true, Activation::kIdentity, ""}};
    return head;
}

}  // namespace

const EncoderFamily kMpnetFamily = {"mpnet",
                                    "mpnet",
                                    "mpnet.",
                                    "embeddings.word_embeddings.weight",
                                    &read_config,
                                    &list_tensors,
                                    &read_head,
                                    "pooler.dense",
                                    {"lm_head.dense", "lm_head.layer_norm", "lm_head.bias"}};

}  // namespace rag::core
