// Reads the configurations beside a tokenizer: tokenizer_config.json, special_tokens_map.json, chat_template.jinja and the folder
// additional_chat_templates.
#include <algorithm>
#include <charconv>
#include <set>

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

// One template, or a list of named ones.
void read_chat_template(const StageFields& fields, TokenizerParts& parts) {
    const Json* value = fields.find("chat_template");
    if (value == nullptr) return;
    if (!value->is_array()) {
        parts.chat_templates = {{"default", checked_text(*value, fields.inside("chat_template"))}};
        return;
    }
    parts.chat_templates.clear();
    for (const Json& json : *value) {
        const StageFields entry(json, fields.inside("chat_template"));
        const std::string& name = checked_text(entry.required("name"), entry.inside("name"));
        parts.chat_templates[name] = checked_text(entry.required("template"), entry.inside("template"));
    }
}

AddedToken read_declared(const StageFields& fields, std::int64_t id) {
    AddedToken token;
    token.content = checked_text(fields.required("content"), fields.inside("content"));
    token.id = static_cast<std::int32_t>(id);
    token.single_word = fields.boolean("single_word", false);
    token.lstrip = fields.boolean("lstrip", false);
    token.rstrip = fields.boolean("rstrip", false);
    token.special = fields.boolean("special", false);
    token.normalized = fields.boolean("normalized", !token.special);
    return token;
}

// {"50256": {"content": "<|endoftext|>", "special": true, ...}, ...}
std::vector<AddedToken> read_added_tokens_decoder(const StageFields& config) {
    std::vector<AddedToken> tokens;
    const StageFields list = config.object("added_tokens_decoder");
    for (const auto& [key, value] : config.required("added_tokens_decoder").items()) {
        std::int64_t id = -1;
        const char* const end = key.data() + key.size();
        if (std::from_chars(key.data(), end, id).ptr != end || id < 0 || id >= kMaxTokenId) {
            fail(Code::kCorrupt, "{}: {} is not an id", list.where(), quote(key, 40));
        }
        tokens.push_back(read_declared({value, list.inside(key.c_str())}, id));
    }
    return tokens;
}

std::string read_template(const std::filesystem::path& path) {
    std::string text = read_text_file(path, kMaxConfiguration);
    require_utf8(text, path.string());
    return text;
}

// Files of their own replace what tokenizer_config.json says, all of it, as in transformers.
void read_template_files(const std::filesystem::path& folder, TokenizerParts& parts) {
    std::map<std::string, std::string> found;
    const std::filesystem::path only = folder / "chat_template.jinja";
    if (std::filesystem::exists(only)) found["default"] = read_template(only);
    const std::filesystem::path more = folder / "additional_chat_templates";
    if (std::filesystem::is_directory(more)) {
        for (const auto& entry : std::filesystem::directory_iterator(more)) {
            if (entry.path().extension() == ".jinja") found[entry.path().stem().string()] = read_template(entry.path());
        }
    }
    if (!found.empty()) parts.chat_templates = std::move(found);
}

}  // namespace

std::vector<AddedToken> read_declared_tokens(const std::filesystem::path& folder) {
    std::vector<AddedToken> tokens;
    const std::filesystem::path config = folder / "tokenizer_config.json", added = folder / "added_tokens.json";
    if (std::filesystem::exists(config)) {
        const Json json = parse_tokenizer_json(read_text_file(config, kMaxConfiguration), config.string());
        const StageFields fields(json, config.string());
        if (fields.find("added_tokens_decoder") != nullptr) tokens = read_added_tokens_decoder(fields);
    }
    if (tokens.empty() && std::filesystem::exists(added)) {
        const Json json = parse_tokenizer_json(read_text_file(added, kMaxConfiguration), added.string());
        const StageFields fields(json, added.string());
        for (const auto& [content, id] : json.items()) {
            AddedToken token;
            token.content = content;
            token.id = static_cast<std::int32_t>(checked_integer(id, 0, kMaxTokenId - 1, fields.where()));
            tokens.push_back(std::move(token));
        }
    }
    std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return tokens;
}

// The special tokens of a configuration: those with a role, and the further ones.
void read_special_list(const std::filesystem::path& path, std::vector<AddedToken>& out) {
    if (!std::filesystem::exists(path)) return;
    const Json json = parse_tokenizer_json(read_text_file(path, kMaxConfiguration), path.string());
    const StageFields fields(json, path.string());
    const auto take = [&](const Json& value, const std::string& where) {
        if (value.is_object()) return out.push_back(read_declared({value, where}, 0));
        AddedToken token;
        token.content = checked_text(value, where);
        out.push_back(std::move(token));
    };
    for (const char* name : kNames) {
        if (const Json* value = fields.find(name)) take(*value, fields.inside(name));
    }
    for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) {
        const Json* value = fields.find(name);
        if (value == nullptr) continue;
        for (const auto& entry : value->items()) take(entry.value(), fields.inside(name));  // of an object: role and token
    }
}

void add_missing_tokens(const std::filesystem::path& folder, TokenizerParts& parts) {
    std::set<std::string> known;
    for (const AddedToken& token : parts.added_tokens) known.insert(token.content);
    const auto add = [&](AddedToken token) {
        if (!token.content.empty() && known.insert(token.content).second) parts.added_tokens.push_back(std::move(token));
    };
    std::vector<AddedToken> special;
    for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) read_special_list(folder / name, special);
    for (AddedToken& token : read_declared_tokens(folder)) {
        const auto same = [&](const AddedToken& other) { return other.content == token.content; };
        token.special = token.special || std::any_of(special.begin(), special.end(), same);
        add(std::move(token));
    }
    for (AddedToken& token : special) {
        token.special = true;
        token.normalized = false;
        add(std::move(token));
    }
}

void read_configuration(std::string_view text, const std::string& name, TokenizerParts& parts) {
    const Json json = parse_tokenizer_json(text, name);
    const StageFields fields(json, name);
    read_special_tokens(fields, parts);
    read_chat_template(fields, parts);
}

void load_configuration(const std::filesystem::path& folder, TokenizerParts& parts) {
    for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {  // the second one wins
        const std::filesystem::path path = folder / name;
        if (!std::filesystem::exists(path)) continue;
        read_configuration(read_text_file(path, kMaxConfiguration), path.string(), parts);
    }
    read_template_files(folder, parts);
}

}  // namespace rag::core
