#include "formats/model_folder.hpp"

#include <array>
#include <cmath>
#include <string_view>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "formats/json_text.hpp"

namespace rag::core {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConfigBytes = 4u << 20;
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24;
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::size_t kMaxModules = 64;

json read_config(const std::filesystem::path& path) {
    return read_json_object(path.string(), kMaxConfigBytes);
}

std::optional<json> read_optional_config(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return std::nullopt;
    return read_config(path);
}

double positive_number(const JsonFields& fields, const char* key, double fallback) {
    const double value = fields.number(key).value_or(fallback);
    if (!(value > 0.0)) fields.wrong(key, "a number above 0", json(value));
    return value;
}

/// The last part of a class name: sentence-transformers moved its modules between packages, the last part stayed.
std::string class_name(const std::string& type) {
    const auto dot = type.rfind('.');
    return dot == std::string::npos ? type : type.substr(dot + 1);
}

/// A module's folder inside the model's folder; "" is the folder itself.
std::filesystem::path module_path(const std::filesystem::path& folder, const JsonFields& fields) {
    const std::string path = fields.text("path").value_or("");
    const std::filesystem::path relative(path);
    bool inside = relative.is_relative() && path.find('\0') == std::string::npos;
    for (const auto& part : relative) inside = inside && part != "..";
    if (!inside) fields.wrong("path", "a folder inside the model's", json(path));
    return path.empty() ? folder : folder / relative;
}

void read_pooling(const std::filesystem::path& folder, SentenceFolder& out) {
    const json object = read_config(folder / "config.json");
    const JsonFields fields(object, (folder / "config.json").string());
    out.embedding_dimension = fields.integer("word_embedding_dimension", 1, kMaxDimension);
    if (!out.embedding_dimension) out.embedding_dimension = fields.integer("embedding_dimension", 1, kMaxDimension);
    if (const json* mode = fields.find("pooling_mode"); mode != nullptr) {
        if (mode->is_string()) {
            out.pooling = {mode->get<std::string>()};
        } else {
            if (!mode->is_array() || mode->empty()) fields.wrong("pooling_mode", "a name or a list of names", *mode);
            for (const json& one : *mode) {
                if (!one.is_string()) fields.wrong("pooling_mode", "a list of names", *mode);
                out.pooling.push_back(one.get<std::string>());
            }
        }
        return;
    }
    struct Flag {
        const char* key;
        const char* name;
    };
    constexpr std::array flags = {Flag{"pooling_mode_cls_token", "cls"},
                                  Flag{"pooling_mode_max_tokens", "max"},
                                  Flag{"pooling_mode_mean_tokens", "mean"},
                                  Flag{"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
                                  Flag{"pooling_mode_weightedmean_tokens", "weightedmean"},
                                  Flag{"pooling_mode_lasttoken", "lasttoken"}};
    for (const Flag& flag : flags) {
        if (fields.boolean(flag.key).value_or(false)) out.pooling.emplace_back(flag.name);
    }
    if (out.pooling.empty()) fail(Code::kCorrupt, "{}: no pooling mode is true", quote(fields.file(), 400));
}

/// modules.json: which module lies where.
void read_modules(const std::filesystem::path& folder, SentenceFolder& out) {
    const std::string file = (folder / "modules.json").string();
    const json modules = parse_json(read_text_file(file, kMaxConfigBytes), file);
    if (!modules.is_array() || modules.empty() || modules.size() > kMaxModules)
        fail(Code::kCorrupt, "{}: a list of 1 to {} modules is expected", quote(file, 400), kMaxModules);
    for (std::size_t i = 0; i < modules.size(); ++i) {
        if (!modules[i].is_object()) fail(Code::kCorrupt, "{}: module {} is not an object", quote(file, 400), i);
        const JsonFields fields(modules[i], file);
        const std::string type = class_name(fields.required_text("type"));
        if (type == "Transformer" && i == 0) {
            out.transformer = module_path(folder, fields);
        } else if (type == "Pooling" && i == 1) {
            read_pooling(module_path(folder, fields), out);
        } else if (type == "Normalize" && i + 1 == modules.size()) {
            out.normalize = true;
        } else {
            out.other_modules.push_back(type);
        }
    }
    if (out.transformer.empty()) fail(Code::kCorrupt, "{}: the first module is not a Transformer", quote(file, 400));
    if (out.pooling.empty() && out.other_modules.empty())
        fail(Code::kCorrupt, "{}: the second module is not a Pooling", quote(file, 400));
}

void read_max_seq_length(SentenceFolder& out) {
    if (const auto object = read_optional_config(out.transformer / "sentence_bert_config.json")) {
        const JsonFields fields(*object, (out.transformer / "sentence_bert_config.json").string());
        out.max_seq_length = fields.integer("max_seq_length", 1, kMaxDimension);
        out.do_lower_case = fields.boolean("do_lower_case").value_or(false);
    }
    if (out.max_seq_length) return;
    if (const auto object = read_optional_config(out.transformer / "tokenizer_config.json")) {
        const JsonFields fields(*object, (out.transformer / "tokenizer_config.json").string());
        // "No limit" is written as 10^30, so a number above every dimension means the same.
        const auto value = fields.number("model_max_length");
        if (value && *value >= 1.0 && *value <= static_cast<double>(kMaxDimension))
            out.max_seq_length = static_cast<std::int64_t>(*value);
    }
}

/// Whether a field is absent, or says "not used" in one of JSON's ways.
bool is_off(const json* value) {
    return value == nullptr || (value->is_boolean() && !value->get<bool>()) || (value->is_structured() && value->empty());
}

void refuse_unread_lora(const JsonFields& fields) {
    const std::string type = fields.required_text("peft_type");
    if (type != "LORA") fail(Code::kUnsupported, "{}: peft_type {}, LORA is supported", quote(fields.file(), 400), quote(type));
    constexpr std::array refused = {"use_dora",
                                    "fan_in_fan_out",
                                    "modules_to_save",
                                    "layer_replication",
                                    "lora_bias",
                                    "target_parameters",
                                    "trainable_token_indices",
                                    "use_qalora",
                                    "use_bdlora",
                                    "kasa_config",
                                    "arrow_config",
                                    "velora_config",
                                    "monteclora_config",
                                    "alora_invocation_tokens"};
    for (const char* key : refused) {
        if (const json* value = fields.find(key); !is_off(value))
            fail(Code::kUnsupported, "{}: {} is {}, which is not supported", quote(fields.file(), 400), key,
                 quote(value->dump(-1, ' ', true, json::error_handler_t::replace)));
    }
    const std::string bias = fields.text("bias").value_or("none");
    if (bias != "none") fail(Code::kUnsupported, "{}: bias is {}, none is supported", quote(fields.file(), 400), quote(bias));
}

}  // namespace

std::string read_model_type(const std::filesystem::path& folder) {
    const json object = read_config(folder / "config.json");
    return JsonFields(object, (folder / "config.json").string()).required_text("model_type");
}

BertFolderConfig read_bert_config(const std::filesystem::path& folder) {
    const json object = read_config(folder / "config.json");
    const JsonFields fields(object, (folder / "config.json").string());
    BertFolderConfig config;
    config.vocab_size = fields.required_integer("vocab_size", 1, kMaxDimension);
    config.hidden_size = fields.required_integer("hidden_size", 1, kMaxDimension);
    config.layers = fields.required_integer("num_hidden_layers", 1, kMaxLayers);
    config.heads = fields.required_integer("num_attention_heads", 1, kMaxDimension);
    config.intermediate_size = fields.required_integer("intermediate_size", 1, kMaxDimension);
    config.max_positions = fields.required_integer("max_position_embeddings", 1, kMaxDimension);
    config.type_vocab_size = fields.integer("type_vocab_size", 1, kMaxDimension).value_or(2);
    config.layer_norm_eps = positive_number(fields, "layer_norm_eps", 1e-12);
    config.hidden_act = fields.text("hidden_act").value_or("gelu");
    config.position_embedding_type = fields.text("position_embedding_type").value_or("absolute");
    return config;
}

SentenceFolder read_sentence_folder(const std::filesystem::path& folder) {
    SentenceFolder result;
    std::error_code ignored;
    if (std::filesystem::exists(folder / "modules.json", ignored)) {
        read_modules(folder, result);
    } else {
        result.transformer = folder;
        result.pooling = {"mean"};
    }
    read_max_seq_length(result);
    return result;
}

LoraFolderConfig read_lora_config(const std::filesystem::path& folder) {
    const json object = read_config(folder / "adapter_config.json");
    const JsonFields fields(object, (folder / "adapter_config.json").string());
    refuse_unread_lora(fields);
    LoraFolderConfig config;
    config.r = fields.required_integer("r", 1, kMaxDimension);
    config.lora_alpha = fields.number("lora_alpha").value_or(8.0);
    config.use_rslora = fields.boolean("use_rslora").value_or(false);
    if (const json* targets = fields.find("target_modules"); targets != nullptr) {
        if (targets->is_string()) {
            config.target_is_regex = true;
            config.target_modules = {targets->get<std::string>()};
        } else {
            if (!targets->is_array()) fields.wrong("target_modules", "a list of names or one expression", *targets);
            for (const json& target : *targets) {
                if (!target.is_string()) fields.wrong("target_modules", "a list of names", *targets);
                config.target_modules.push_back(target.get<std::string>());
            }
        }
    }
    if (const json* pattern = fields.find("rank_pattern"); pattern != nullptr) {
        if (!pattern->is_object()) fields.wrong("rank_pattern", "an object", *pattern);
        const JsonFields ranks(*pattern, fields.file() + ": rank_pattern");
        for (const auto& [key, value] : pattern->items())
            config.rank_pattern[key] = ranks.required_integer(key.c_str(), 1, kMaxDimension);
    }
    if (const json* pattern = fields.find("alpha_pattern"); pattern != nullptr) {
        if (!pattern->is_object()) fields.wrong("alpha_pattern", "an object", *pattern);
        for (const auto& [key, value] : pattern->items()) {
            if (!value.is_number() || !std::isfinite(value.get<double>()))
                fields.wrong("alpha_pattern", "an object of numbers", *pattern);
            config.alpha_pattern[key] = value.get<double>();
        }
    }
    return config;
}

}  // namespace rag::core
