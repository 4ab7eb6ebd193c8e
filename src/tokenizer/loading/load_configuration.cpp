// Reads the configurations beside a tokenizer: tokenizer_config.json, special_tokens_map.json, chat_template.jinja.
#include "core/mapped_file.hpp"
#include "core/utf8.hpp"
#include "tokenizer/loading/load.hpp"
#include "tokenizer/loading/stage_fields.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kMaxConfiguration = std::size_t{16} << 20;
constexpr const char* kNames[] = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

// A special token is a string, or an object with the string as its content.
void read_special_tokens(const StageFields& fields, TokenizerParts& parts) {
    for (const char* name : kNames) {
        const Json* value = fields.find(name);
        if (value == nullptr) continue;
        if (value->is_object()) {
            const StageFields token(*value, fields.inside(name));
            parts.special_tokens[name] = checked_text(token.required("content"), token.inside("content"));
        } else {
            parts.special_tokens[name] = checked_text(*value, fields.inside(name));
        }
    }
}

// One template, or a list of named ones, of which "default" is the one.
void read_chat_template(const StageFields& fields, TokenizerParts& parts) {
    const Json* value = fields.find("chat_template");
    if (value == nullptr) return;
    if (!value->is_array()) {
        parts.chat_template = checked_text(*value, fields.inside("chat_template"));
        return;
    }
    for (const Json& json : *value) {
        const StageFields entry(json, fields.inside("chat_template"));
        if (entry.text("name", "") == "default") parts.chat_template = entry.text("template", "");
    }
}

}  // namespace

void load_configuration(const std::filesystem::path& folder, TokenizerParts& parts) {
    for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {  // the second one wins
        const std::filesystem::path path = folder / name;
        if (!std::filesystem::exists(path)) continue;
        const std::string text = read_text_file(path, kMaxConfiguration);
        const Json json = parse_tokenizer_json(text, path.string());
        const StageFields fields(json, path.string());
        read_special_tokens(fields, parts);
        read_chat_template(fields, parts);
    }
    const std::filesystem::path path = folder / "chat_template.jinja";
    if (std::filesystem::exists(path)) {
        parts.chat_template = read_text_file(path, kMaxConfiguration);
        require_utf8(parts.chat_template, path.string());
    }
}

}  // namespace rag::core
