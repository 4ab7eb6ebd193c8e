#include "formats/sentence_folder.hpp"

#include <array>
#include <string_view>

#include "core/error.hpp"
#include "core/mapped_file.hpp"
#include "formats/json_text.hpp"

namespace rag::core {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConfigBytes = 4u << 20;
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24;
constexpr std::size_t kMaxModules = 64;

json read_config(const std::filesystem::path& path) {
    return read_json_object(path.string(), kMaxConfigBytes);
}

std::optional<json> read_optional_config(const std::filesystem::path& path) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return std::nullopt;
    return read_config(path);
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

/// Version 5 of sentence-transformers names the modes, older ones have a flag for each.
void read_pooling_modes(const JsonFields& fields, SentenceFolder& out) {
    if (const json* mode = fields.find("pooling_mode"); mode != nullptr) {
        if (mode->is_string()) {
            out.pooling = {mode->get<std::string>()};
            return;
        }
        if (!mode->is_array() || mode->empty()) fields.wrong("pooling_mode", "a name or a list of names", *mode);
        for (const json& one : *mode) {
            if (!one.is_string()) fields.wrong("pooling_mode", "a list of names", *mode);
            out.pooling.push_back(one.get<std::string>());
        }
        return;
    }
    struct Flag {
        const char* key;
        const char* name;
    };
    // In the order in which sentence-transformers puts the vectors one after another.
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

void read_pooling(const std::filesystem::path& folder, SentenceFolder& out) {
    const json object = read_config(folder / "config.json");
    const JsonFields fields(object, (folder / "config.json").string());
    out.embedding_dimension = fields.integer("word_embedding_dimension", 1, kMaxDimension);
    if (!out.embedding_dimension) out.embedding_dimension = fields.integer("embedding_dimension", 1, kMaxDimension);
    out.include_prompt = fields.boolean("include_prompt").value_or(true);
    read_pooling_modes(fields, out);
}

DenseFolderConfig read_dense(const std::filesystem::path& folder) {
    const json object = read_config(folder / "config.json");
    const JsonFields fields(object, (folder / "config.json").string());
    DenseFolderConfig dense;
    dense.folder = folder;
    dense.inputs = fields.required_integer("in_features", 1, kMaxDimension);
    dense.outputs = fields.required_integer("out_features", 1, kMaxDimension);
    dense.bias = fields.boolean("bias").value_or(true);
    dense.activation = class_name(fields.text("activation_function").value_or("Tanh"));
    if (fields.boolean("use_residual").value_or(false)) dense.unsupported = "use_residual";
    for (const char* key : {"module_input_name", "module_output_name"}) {
        if (fields.text(key).value_or("sentence_embedding") != "sentence_embedding") dense.unsupported = key;
    }
    return dense;
}

LogitScoreConfig read_logit_score(const std::filesystem::path& folder) {
    const json object = read_config(folder / "config.json");
    const JsonFields fields(object, (folder / "config.json").string());
    LogitScoreConfig score;
    score.true_token = fields.required_integer("true_token_id", 0, kMaxDimension);
    score.false_token = fields.integer("false_token_id", 0, kMaxDimension);
    if (const auto input = fields.text("module_input_name"); input && *input != "causal_logits")
        fields.wrong("module_input_name", "\"causal_logits\"", json(*input));
    return score;
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
        } else if (type == "Dense" && i > 1 && !out.normalize) {
            out.dense.push_back(read_dense(module_path(folder, fields)));
        } else if (type == "LogitScore" && i == 1) {
            out.logit_score = read_logit_score(module_path(folder, fields));
        } else if (type == "Normalize" && i > 1) {
            out.normalize = true;
        } else if (type != "Dropout") {  // which acts in training alone
            out.other_modules.push_back(type);
        }
    }
    if (out.transformer.empty()) fail(Code::kCorrupt, "{}: the first module is not a Transformer", quote(file, 400));
}

/// What texts go through before the tokenizer; only rerankers that are language models ask for it.
void read_processing(const JsonFields& fields, SentenceFolder& out) {
    const json* processing = fields.find("processing_kwargs");
    if (processing == nullptr) return;
    if (!processing->is_object()) fields.wrong("processing_kwargs", "an object", *processing);
    for (const auto& [name, group] : processing->items()) {
        if (group.is_null() || group.empty()) continue;
        if (name != "chat_template" || !group.is_object()) {
            out.unsupported_processing = name;
            continue;
        }
        const JsonFields inner(group, fields.file() + ": chat_template");
        for (const auto& [key, value] : group.items()) {
            if (key == "add_generation_prompt") {
                out.add_generation_prompt = inner.boolean("add_generation_prompt").value_or(false);
            } else if (key != "restore_suffix" || value != true) {
                out.unsupported_processing = name;
                out.unsupported_processing.append(".").append(key);
            }
        }
    }
}

void read_max_seq_length(SentenceFolder& out) {
    if (const auto object = read_optional_config(out.transformer / "sentence_bert_config.json")) {
        const JsonFields fields(*object, (out.transformer / "sentence_bert_config.json").string());
        out.max_seq_length = fields.integer("max_seq_length", 1, kMaxDimension);
        out.do_lower_case = fields.boolean("do_lower_case").value_or(false);
        read_processing(fields, out);
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

void read_calls(const std::filesystem::path& folder, SentenceFolder& out) {
    const auto path = folder / "config_sentence_transformers.json";
    const auto object = read_optional_config(path);
    if (!object) return;
    const JsonFields fields(*object, path.string());
    if (const json* prompts = fields.find("prompts"); prompts != nullptr) {
        if (!prompts->is_object()) fields.wrong("prompts", "an object", *prompts);
        for (const auto& [name, prompt] : prompts->items()) {
            if (prompt.is_null()) continue;  // "no prompt of this name", as sentence-transformers writes it
            if (!prompt.is_string()) fields.wrong("prompts", "an object of texts", *prompts);
            out.prompts[name] = prompt.get<std::string>();
        }
    }
    if (const auto activation = fields.text("activation_fn")) out.score_activation = class_name(*activation);
    out.truncate_dim = fields.integer("truncate_dim", 1, kMaxDimension);
    out.default_prompt_name = fields.text("default_prompt_name").value_or("");
    if (!out.default_prompt_name.empty() && !out.prompts.contains(out.default_prompt_name))
        fail(Code::kCorrupt, "{}: default_prompt_name is {}, which is none of the prompts", quote(path.string(), 400),
             quote(out.default_prompt_name));
}

}  // namespace

SentenceFolder read_sentence_folder(const std::filesystem::path& folder) {
    SentenceFolder result;
    std::error_code ignored;
    result.has_modules = std::filesystem::exists(folder / "modules.json", ignored);
    if (result.has_modules) {
        read_modules(folder, result);
    } else {
        result.transformer = folder;
        result.pooling = {"mean"};
    }
    read_max_seq_length(result);
    read_calls(folder, result);
    return result;
}

}  // namespace rag::core
