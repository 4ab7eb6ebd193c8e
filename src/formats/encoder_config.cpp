#include "formats/encoder_config.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "formats/json_text.hpp"

namespace rag::core {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConfigBytes = 16u << 20;  // 65,536 labels with their names both ways
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxLabels = 65536;

/// config.json of a folder, kept together with its reader.
struct Config {
    explicit Config(const std::filesystem::path& folder)
        : object(read_json_object((folder / "config.json").string(), kMaxConfigBytes)),
          fields(object, (folder / "config.json").string()) {}
    Config(const Config&) = delete;
    Config& operator=(const Config&) = delete;

    std::int64_t size(const char* key) const { return fields.required_integer(key, 1, kMaxDimension); }
    std::int64_t layers(const char* key) const { return fields.required_integer(key, 1, kMaxLayers); }
    double above_zero(const char* key, double fallback) const { return above_zero(fields, key, fallback); }
    static double above_zero(const JsonFields& in, const char* key, double fallback) {
        const double value = in.number(key).value_or(fallback);
        if (!(value > 0.0)) in.wrong(key, "a number above 0", json(value));
        return value;
    }
    std::string text(const char* key, const char* fallback) const { return fields.text(key).value_or(fallback); }
    bool flag(const char* key) const { return fields.boolean(key).value_or(false); }

    json object;
    JsonFields fields;
};

/// Version 5 of transformers lists the kind of each layer, version 4 says that every n-th is global.
std::vector<bool> read_layer_kinds(const Config& config, std::int64_t layers) {
    std::vector<bool> global;
    if (const json* kinds = config.fields.find("layer_types"); kinds != nullptr) {
        if (!kinds->is_array() || kinds->size() != static_cast<std::size_t>(layers))
            config.fields.wrong("layer_types", fmt::format("a list of {} kinds", layers), *kinds);
        for (const json& kind : *kinds) {
            if (kind != "full_attention" && kind != "sliding_attention")
                config.fields.wrong("layer_types", "full_attention and sliding_attention", kind);
            global.push_back(kind == "full_attention");
        }
        return global;
    }
    const std::int64_t every = config.fields.integer("global_attn_every_n_layers", 1, kMaxLayers).value_or(3);
    for (std::int64_t i = 0; i < layers; ++i) global.push_back(i % every == 0);
    return global;
}

/// rope_parameters of version 5: one object a kind of layer.
void read_rope_parameters(const Config& config, ModernBertFolderConfig& out) {
    const json* parameters = config.fields.find("rope_parameters");
    if (parameters == nullptr) return;
    if (!parameters->is_object()) config.fields.wrong("rope_parameters", "an object", *parameters);
    const JsonFields kinds(*parameters, config.fields.file() + ": rope_parameters");
    struct Kind {
        const char* name;
        double& theta;
    };
    for (const Kind& kind : {Kind{"full_attention", out.global_theta}, Kind{"sliding_attention", out.local_theta}}) {
        const json* one = kinds.find(kind.name);
        if (one == nullptr) continue;
        if (!one->is_object()) kinds.wrong(kind.name, "an object", *one);
        const JsonFields fields(*one, kinds.file() + "." + kind.name);
        kind.theta = Config::above_zero(fields, "rope_theta", kind.theta);
        const std::string type = fields.text("rope_type").value_or("default");
        if (type != "default") out.rope_type = type;
    }
}

/// id2label: {"0": "negative", "1": "positive"}. Absent: num_labels of them, 2 where that is absent too, as transformers says.
std::vector<std::string> read_labels(const Config& config) {
    std::vector<std::string> labels;
    const json* named = config.fields.find("id2label");
    if (named == nullptr) {
        const std::int64_t count = config.fields.integer("num_labels", 1, kMaxLabels).value_or(2);
        for (std::int64_t i = 0; i < count; ++i) labels.push_back(fmt::format("LABEL_{}", i));
        return labels;
    }
    if (!named->is_object() || named->empty() || named->size() > static_cast<std::size_t>(kMaxLabels))
        config.fields.wrong("id2label", fmt::format("an object of 1 to {} names", kMaxLabels), *named);
    for (std::size_t i = 0; i < named->size(); ++i) {
        const auto found = named->find(std::to_string(i));
        if (found == named->end() || !found->is_string())
            fail(Code::kCorrupt, "{}: id2label has {} labels, and none, or no name, for id {}", quote(config.fields.file(), 400),
                 named->size(), i);
        labels.push_back(found->get<std::string>());
    }
    return labels;
}

/// The last part of "torch.nn.modules.activation.Sigmoid".
std::string class_name(const std::string& path) {
    const auto dot = path.rfind('.');
    return dot == std::string::npos ? path : path.substr(dot + 1);
}

}  // namespace

BertFolderConfig read_bert_config(const std::filesystem::path& folder) {
    const Config file(folder);
    BertFolderConfig config;
    config.vocab_size = file.size("vocab_size");
    config.hidden_size = file.size("hidden_size");
    config.layers = file.layers("num_hidden_layers");
    config.heads = file.size("num_attention_heads");
    config.intermediate_size = file.size("intermediate_size");
    config.max_positions = file.size("max_position_embeddings");
    config.type_vocab_size = file.fields.integer("type_vocab_size", 1, kMaxDimension).value_or(2);
    config.layer_norm_eps = file.above_zero("layer_norm_eps", 1e-12);
    config.hidden_act = file.text("hidden_act", "gelu");
    config.position_embedding_type = file.text("position_embedding_type", "absolute");
    config.pad_token_id = file.fields.integer("pad_token_id", 0, kMaxDimension).value_or(0);
    config.relative_buckets = file.fields.integer("relative_attention_num_buckets", 1, kMaxDimension).value_or(32);
    config.is_decoder = file.flag("is_decoder");
    return config;
}

BertFolderConfig read_distilbert_config(const std::filesystem::path& folder) {
    const Config file(folder);
    BertFolderConfig config;
    config.vocab_size = file.size("vocab_size");
    config.hidden_size = file.size("dim");
    config.layers = file.layers("n_layers");
    config.heads = file.size("n_heads");
    config.intermediate_size = file.size("hidden_dim");
    config.max_positions = file.size("max_position_embeddings");
    config.hidden_act = file.text("activation", "gelu");
    config.position_embedding_type = "absolute";  // sinusoidal_pos_embds: how the table was made; the file holds it
    return config;
}

ModernBertFolderConfig read_modernbert_config(const std::filesystem::path& folder) {
    const Config file(folder);
    ModernBertFolderConfig config;
    config.vocab_size = file.size("vocab_size");
    config.hidden_size = file.size("hidden_size");
    config.layers = file.layers("num_hidden_layers");
    config.heads = file.size("num_attention_heads");
    config.intermediate_size = file.size("intermediate_size");
    config.max_positions = file.fields.integer("max_position_embeddings", 1, kMaxDimension).value_or(8192);
    config.norm_eps = file.above_zero("norm_eps", 1e-5);
    config.hidden_activation = file.text("hidden_activation", "gelu");
    config.global_layers = read_layer_kinds(file, config.layers);
    config.local_attention = file.fields.integer("local_attention", 1, kMaxDimension).value_or(128);
    config.global_theta = file.above_zero("global_rope_theta", 160000.0);
    config.local_theta = file.above_zero("local_rope_theta", 10000.0);
    config.rope_type = file.fields.find("rope_scaling") == nullptr ? "default" : "scaled";
    read_rope_parameters(file, config);
    config.attention_bias = file.flag("attention_bias");
    config.mlp_bias = file.flag("mlp_bias");
    config.norm_bias = file.flag("norm_bias");
    return config;
}

ClassifierFolderConfig read_classifier_config(const std::filesystem::path& folder) {
    const Config file(folder);
    ClassifierFolderConfig config;
    if (const json* names = file.fields.find("architectures"); names != nullptr) {
        if (!names->is_array() || !std::all_of(names->begin(), names->end(), [](const json& n) { return n.is_string(); }))
            file.fields.wrong("architectures", "a list of names", *names);
        config.architectures = names->get<std::vector<std::string>>();
    }
    config.labels = read_labels(file);
    config.problem_type = file.text("problem_type", "");
    config.activation = class_name(file.text("sbert_ce_default_activation_function", ""));
    if (const json* inner = file.fields.find("sentence_transformers"); inner != nullptr) {
        if (!inner->is_object()) file.fields.wrong("sentence_transformers", "an object", *inner);
        const JsonFields fields(*inner, file.fields.file() + ": sentence_transformers");
        if (const auto name = fields.text("activation_fn")) config.activation = class_name(*name);
    }
    config.pooling = file.text("classifier_pooling", "cls");
    config.head_activation = file.text("classifier_activation", "gelu");
    config.head_bias = file.flag("classifier_bias");
    return config;
}

}  // namespace rag::core
