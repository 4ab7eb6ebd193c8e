// BERT (transformers' BertModel and BertForSequenceClassification), and what its relatives share with it.
#include <utility>

#include "core/error.hpp"
#include "model/encoder_family.hpp"

namespace rag::core {

Activation read_activation(const std::string& name, const char* key, const std::string& file) {
    constexpr std::pair<std::string_view, Activation> kNames[] = {
        {"gelu", Activation::kGelu}, {"gelu_new", Activation::kGeluTanh}, {"gelu_pytorch_tanh", Activation::kGeluTanh},
        {"relu", Activation::kRelu}, {"silu", Activation::kSilu},         {"swish", Activation::kSilu},
        {"tanh", Activation::kTanh}, {"sigmoid", Activation::kSigmoid}};
    for (const auto& [known, activation] : kNames) {
        if (name == known) return activation;
    }
    fail(Code::kUnsupported, "{}: {} {}; gelu, gelu_new, gelu_pytorch_tanh, relu, silu, swish, tanh and sigmoid are supported",
         quote(file, 400), key, quote(name));
}

EncoderConfig bert_like_config(const BertFolderConfig& from, std::string_view architecture, const std::string& file) {
    if (from.position_embedding_type != "absolute")
        fail(Code::kUnsupported, "{}: position_embedding_type {}; absolute is supported", quote(file, 400),
             quote(from.position_embedding_type));
    if (from.is_decoder) fail(Code::kUnsupported, "{}: is_decoder is true; encoders are supported", quote(file, 400));
    EncoderConfig config;
    config.architecture = architecture;
    config.vocab_size = from.vocab_size;
    config.hidden_size = from.hidden_size;
    config.layers = from.layers;
    config.heads = from.heads;
    config.intermediate_size = from.intermediate_size;
    config.max_positions = from.max_positions;
    config.type_vocab_size = from.type_vocab_size;
    config.layer_norm_eps = static_cast<float>(from.layer_norm_eps);
    config.activation = read_activation(from.hidden_act, "hidden_act", file);
    return config;
}

void expect_linear(std::vector<ExpectedTensor>& out, const std::string& name, std::int64_t rows, std::int64_t columns,
                   bool bias) {
    out.push_back({name + ".weight", name + ".weight", {rows, columns}, true});
    if (bias) out.push_back({name + ".bias", name + ".bias", {rows}});
}

void expect_norm(std::vector<ExpectedTensor>& out, const std::string& name, std::int64_t size, bool bias) {
    out.push_back({name + ".weight", name + ".weight", {size}});
    if (bias) out.push_back({name + ".bias", name + ".bias", {size}});
}

void expect_table(std::vector<ExpectedTensor>& out, const std::string& name, std::int64_t rows, std::int64_t columns) {
    out.push_back({name + ".weight", name + ".weight", {rows, columns}});
}

std::vector<ExpectedTensor> list_bert_tensors(const EncoderConfig& config, std::int64_t position_rows) {
    const std::int64_t hidden = config.hidden_size;
    std::vector<ExpectedTensor> tensors;
    expect_table(tensors, "embeddings.word_embeddings", config.vocab_size, hidden);
    expect_table(tensors, "embeddings.position_embeddings", position_rows, hidden);
    expect_table(tensors, "embeddings.token_type_embeddings", config.type_vocab_size, hidden);
    expect_norm(tensors, "embeddings.LayerNorm", hidden);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("encoder.layer.{}.", i);
        for (const char* part : {"query", "key", "value"})
            expect_linear(tensors, layer + "attention.self." + part, hidden, hidden);
        expect_linear(tensors, layer + "attention.output.dense", hidden, hidden);
        expect_norm(tensors, layer + "attention.output.LayerNorm", hidden);
        expect_linear(tensors, layer + "intermediate.dense", config.intermediate_size, hidden);
        expect_linear(tensors, layer + "output.dense", hidden, config.intermediate_size);
        expect_norm(tensors, layer + "output.LayerNorm", hidden);
    }
    return tensors;
}

namespace {

EncoderConfig read_config(const std::filesystem::path& folder) {
    return bert_like_config(read_bert_config(folder), "bert", (folder / "config.json").string());
}

std::vector<ExpectedTensor> list_tensors(const EncoderConfig& config) {
    return list_bert_tensors(config, config.max_positions);
}

/// BertPooler over the first token, then the classifier.
ClassifierHead read_head(const EncoderConfig& config, const ClassifierFolderConfig& classifier, const std::string&) {
    ClassifierHead head;
    head.stages = {{"pooler.dense", config.hidden_size, true, Activation::kTanh, ""},
                   {"classifier", static_cast<std::int64_t>(classifier.labels.size()), true, Activation::kIdentity, ""}};
    head.first_in_body = true;
    return head;
}

}  // namespace

const EncoderFamily kBertFamily = {
    "bert",
    "bert",
    "bert.",
    "embeddings.word_embeddings.weight",
    &read_config,
    &list_tensors,
    &read_head,
    "pooler.dense",
    {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias"}};

}  // namespace rag::core
