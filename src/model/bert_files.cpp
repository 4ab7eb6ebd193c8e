#include "model/bert_files.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "formats/model_folder.hpp"
#include "formats/safetensors.hpp"

namespace rag::core {
namespace {

Activation read_activation(const std::string& name, const std::string& file) {
    if (name == "gelu") return Activation::kGelu;
    if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::kGeluTanh;
    if (name == "relu") return Activation::kRelu;
    if (name == "silu" || name == "swish") return Activation::kSilu;
    fail(Code::kUnsupported, "{}: hidden_act {}; gelu, gelu_new, gelu_pytorch_tanh, relu, silu and swish are supported",
         quote(file, 400), quote(name));
}

Pooling read_pooling(const SentenceFolder& sentence, const std::string& folder) {
    if (sentence.pooling.size() > 1)
        fail(Code::kUnsupported, "{}: {} pooling modes one after another; one of mean, cls and max is supported",
             quote(folder, 400), sentence.pooling.size());
    const std::string mode = sentence.pooling.empty() ? "none" : sentence.pooling.front();
    if (mode == "mean") return Pooling::kMean;
    if (mode == "cls") return Pooling::kCls;
    if (mode == "max") return Pooling::kMax;
    fail(Code::kUnsupported, "{}: pooling mode {}; mean, cls and max are supported", quote(folder, 400), quote(mode));
}

EncoderConfig read_config(const SentenceFolder& sentence, const std::string& folder) {
    const std::string file = (sentence.transformer / "config.json").string();
    const std::string type = read_model_type(sentence.transformer);
    if (type != "bert")
        fail(Code::kUnsupported, "{}: model_type {}; encoders of type bert are supported", quote(file, 400), quote(type));
    const BertFolderConfig bert = read_bert_config(sentence.transformer);
    if (bert.position_embedding_type != "absolute")
        fail(Code::kUnsupported, "{}: position_embedding_type {}; absolute is supported", quote(file, 400),
             quote(bert.position_embedding_type));
    if (bert.hidden_size % bert.heads != 0)
        fail(Code::kCorrupt, "{}: hidden_size {} is no multiple of num_attention_heads {}", quote(file, 400), bert.hidden_size,
             bert.heads);
    if (!sentence.other_modules.empty())
        fail(Code::kUnsupported, "{}: module {} in modules.json; Transformer, Pooling and Normalize are supported",
             quote(folder, 400), quote(sentence.other_modules.front()));
    if (sentence.embedding_dimension && *sentence.embedding_dimension != bert.hidden_size)
        fail(Code::kCorrupt, "{}: the pooling says {} dimensions, config.json says hidden_size {}", quote(folder, 400),
             *sentence.embedding_dimension, bert.hidden_size);
    EncoderConfig config;
    config.architecture = type;
    config.vocab_size = bert.vocab_size;
    config.hidden_size = bert.hidden_size;
    config.layers = bert.layers;
    config.heads = bert.heads;
    config.intermediate_size = bert.intermediate_size;
    config.max_positions = bert.max_positions;
    config.type_vocab_size = bert.type_vocab_size;
    config.layer_norm_eps = static_cast<float>(bert.layer_norm_eps);
    config.activation = read_activation(bert.hidden_act, file);
    config.pooling = read_pooling(sentence, folder);
    return config;
}

/// Adds NAME.weight [out, in] and NAME.bias [out].
void expect_linear(std::vector<ExpectedTensor>& out, const std::string& prefix, const std::string& name, std::int64_t rows,
                   std::int64_t columns) {
    out.push_back({name + ".weight", prefix + name + ".weight", {rows, columns}, true});
    out.push_back({name + ".bias", prefix + name + ".bias", {rows}});
}

void expect_norm(std::vector<ExpectedTensor>& out, const std::string& prefix, const std::string& name, std::int64_t size) {
    for (const char* part : {".weight", ".bias"}) out.push_back({name + part, prefix + name + part, {size}});
}

std::vector<ExpectedTensor> expected_tensors(const EncoderConfig& config, const std::string& prefix) {
    const std::int64_t hidden = config.hidden_size;
    std::vector<ExpectedTensor> tensors;
    struct Table {
        const char* name;
        std::int64_t rows;
    };
    for (const Table& table : {Table{"word", config.vocab_size}, Table{"position", config.max_positions},
                               Table{"token_type", config.type_vocab_size}}) {
        const std::string name = fmt::format("embeddings.{}_embeddings.weight", table.name);
        tensors.push_back({name, prefix + name, {table.rows, hidden}});
    }
    expect_norm(tensors, prefix, "embeddings.LayerNorm", hidden);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("encoder.layer.{}.", i);
        for (const char* part : {"query", "key", "value"})
            expect_linear(tensors, prefix, layer + "attention.self." + part, hidden, hidden);
        expect_linear(tensors, prefix, layer + "attention.output.dense", hidden, hidden);
        expect_norm(tensors, prefix, layer + "attention.output.LayerNorm", hidden);
        expect_linear(tensors, prefix, layer + "intermediate.dense", config.intermediate_size, hidden);
        expect_linear(tensors, prefix, layer + "output.dense", hidden, config.intermediate_size);
        expect_norm(tensors, prefix, layer + "output.LayerNorm", hidden);
    }
    return tensors;
}

}  // namespace

EncoderFiles read_encoder_folder(const std::filesystem::path& folder) {
    std::error_code ignored;
    if (std::filesystem::exists(folder, ignored) && !std::filesystem::is_directory(folder, ignored))
        fail(Code::kInvalidArgument, "{} is a file; an encoder is opened from its sentence-transformers folder",
             quote(folder.string(), 400));
    const SentenceFolder sentence = read_sentence_folder(folder);
    EncoderFiles files;
    files.config = read_config(sentence, folder.string());
    files.tokenizer = sentence.transformer;
    files.max_tokens = std::min(sentence.max_seq_length.value_or(files.config.max_positions), files.config.max_positions);
    files.normalize = sentence.normalize;
    files.do_lower_case = sentence.do_lower_case;
    const auto tensors = SafetensorsFile::open(sentence.transformer);
    const std::string prefix = tensors->find("bert.embeddings.word_embeddings.weight") != nullptr ? "bert." : "";
    const auto expected = expected_tensors(files.config, prefix);
    files.weights =
        gather_weights(expected, [&](std::string_view name) { return tensors->find(name); }, tensors, tensors->name());
    files.layers = linear_shapes(expected);
    files.layers["pooler.dense"] = {};  // feeds heads that embeddings do not use; adapters that target "dense" reach it
    return files;
}

}  // namespace rag::core
