// ModernBERT: rotary positions with a theta for global and one for local layers, gated feed-forward, norms without biases unless
// config.json says otherwise.
#include "core/error.hpp"
#include "model/encoder_family.hpp"

namespace rag::core {
namespace {

EncoderConfig read_config(const std::filesystem::path& folder) {
    const std::string file = (folder / "config.json").string();
    const ModernBertFolderConfig from = read_modernbert_config(folder);
    if (from.rope_type != "default")
        fail(Code::kUnsupported, "{}: rotary positions are {}; default is supported", quote(file, 400), quote(from.rope_type));
    if (from.hidden_size / from.heads % 2 != 0)
        fail(Code::kCorrupt, "{}: hidden_size {} and num_attention_heads {} give heads of {} dimensions, which is odd",
             quote(file, 400), from.hidden_size, from.heads, from.hidden_size / from.heads);
    EncoderConfig config;
    config.architecture = "modernbert";
    config.vocab_size = from.vocab_size;
    config.hidden_size = from.hidden_size;
    config.layers = from.layers;
    config.heads = from.heads;
    config.intermediate_size = from.intermediate_size;
    config.max_positions = from.max_positions;
    config.layer_norm_eps = static_cast<float>(from.norm_eps);
    config.stage_norm_eps = static_cast<float>(from.norm_eps);
    config.activation = read_activation(from.hidden_activation, "hidden_activation", file);
    config.global_layers = from.global_layers;
    config.local_reach = from.local_attention / 2;
    config.global_theta = from.global_theta;
    config.local_theta = from.local_theta;
    config.attention_bias = from.attention_bias;
    config.mlp_bias = from.mlp_bias;
    config.norm_bias = from.norm_bias;
    return config;
}

std::vector<ExpectedTensor> list_tensors(const EncoderConfig& config) {
    const std::int64_t hidden = config.hidden_size;
    std::vector<ExpectedTensor> tensors;
    expect_table(tensors, "embeddings.tok_embeddings", config.vocab_size, hidden);
    expect_norm(tensors, "embeddings.norm", hidden, config.norm_bias);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("layers.{}.", i);
        if (i > 0) expect_norm(tensors, layer + "attn_norm", hidden, config.norm_bias);
        expect_linear(tensors, layer + "attn.Wqkv", 3 * hidden, hidden, config.attention_bias);
        expect_linear(tensors, layer + "attn.Wo", hidden, hidden, config.attention_bias);
        expect_norm(tensors, layer + "mlp_norm", hidden, config.norm_bias);
        expect_linear(tensors, layer + "mlp.Wi", 2 * config.intermediate_size, hidden, config.mlp_bias);
        expect_linear(tensors, layer + "mlp.Wo", hidden, config.intermediate_size, config.mlp_bias);
    }
    expect_norm(tensors, "final_norm", hidden, config.norm_bias);
    return tensors;
}

/// ModernBertPredictionHead behind the first token or the mean, then the classifier.
ClassifierHead read_head(const EncoderConfig& config, const ClassifierFolderConfig& classifier, const std::string& file) {
    if (classifier.pooling != "cls" && classifier.pooling != "mean")
        fail(Code::kUnsupported, "{}: classifier_pooling {}; cls and mean are supported", quote(file, 400),
             quote(classifier.pooling));
    ClassifierHead head;
    head.pooling = classifier.pooling == "cls" ? Pooling::kCls : Pooling::kMean;
    head.stages = {{"head.dense", config.hidden_size, classifier.head_bias,
                    read_activation(classifier.head_activation, "classifier_activation", file), "head.norm"},
                   {"classifier", static_cast<std::int64_t>(classifier.labels.size()), true, Activation::kIdentity, ""}};
    return head;
}

}  // namespace

const EncoderFamily kModernBertFamily = {
    "modernbert", "modernbert", "model.", "embeddings.tok_embeddings.weight", &read_config, &list_tensors, &read_head, "", {}};

}  // namespace rag::core
