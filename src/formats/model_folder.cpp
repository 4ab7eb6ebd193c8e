#include "formats/model_folder.hpp"

#include <algorithm>
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

json read_config(const std::filesystem::path& path) {
    return read_json_object(path.string(), kMaxConfigBytes);
}

/// Whether a field is absent, or says "not used" in one of JSON's ways.
bool is_off(const json* value) {
    return value == nullptr || (value->is_boolean() && !value->get<bool>()) || (value->is_structured() && value->empty());
}

void refuse_unread_lora(const JsonFields& fields) {
    const std::string type = fields.required_text("peft_type");
    if (type != "LORA") fail(Code::kUnsupported, "{}: peft_type {}, LORA is supported", quote(fields.file(), 400), quote(type));
    constexpr std::array refused = {"use_dora",
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
}

// PiSSA, OLoRA, CorDA, LoftQ and LoRA-GA take the pair that they begin with out of the base's weights, and peft does so again
// when it loads the adapter; the base that librag has is whole. peft converts such an adapter to one that says true.
void refuse_changed_base(const JsonFields& fields) {
    const json* value = fields.find("init_lora_weights");
    if (value == nullptr || value->is_null() || value->is_boolean()) return;
    constexpr std::array<std::string_view, 3> whole = {"gaussian", "orthogonal", "eva"};
    if (value->is_string() && std::find(whole.begin(), whole.end(), value->get_ref<const std::string&>()) != whole.end()) return;
    fail(Code::kUnsupported,
         "{}: init_lora_weights is {}, which changes the base model; convert the adapter with peft (save_pretrained with "
         "path_initial_model_for_weight_conversion)",
         quote(fields.file(), 400), quote(value->dump(-1, ' ', true, json::error_handler_t::replace)));
}

void read_replaced(const JsonFields& fields, LoraFolderConfig& config) {
    const std::string bias = fields.text("bias").value_or("none");
    if (bias != "none" && bias != "all" && bias != "lora_only")
        fail(Code::kUnsupported, "{}: bias is {}; none, all and lora_only are supported", quote(fields.file(), 400), quote(bias));
    config.trained_biases = bias != "none";
    const json* modules = fields.find("modules_to_save");
    if (modules == nullptr) return;
    if (!modules->is_array()) fields.wrong("modules_to_save", "a list of names", *modules);
    for (const json& module : *modules) {
        if (!module.is_string() || module.get<std::string>().empty())
            fields.wrong("modules_to_save", "a list of names", *modules);
        config.modules_to_save.push_back(module.get<std::string>());
    }
}

}  // namespace

std::string read_model_type(const std::filesystem::path& folder) {
    const json object = read_config(folder / "config.json");
    return JsonFields(object, (folder / "config.json").string()).required_text("model_type");
}

LoraFolderConfig read_lora_config(const std::filesystem::path& folder) {
    const json object = read_config(folder / "adapter_config.json");
    const JsonFields fields(object, (folder / "adapter_config.json").string());
    refuse_unread_lora(fields);
    refuse_changed_base(fields);
    LoraFolderConfig config;
    config.r = fields.required_integer("r", 1, kMaxDimension);
    config.lora_alpha = fields.number("lora_alpha").value_or(8.0);
    read_replaced(fields, config);
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
