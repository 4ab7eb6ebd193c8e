#include "tokenizer/chat_templates.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"

namespace rag::core {

ChatTemplates::ChatTemplates(std::map<std::string, std::string> sources, std::string owner) : owner_(std::move(owner)) {
    for (auto& [name, source] : sources) entries_[name].source = std::move(source);
}

std::map<std::string, std::string> ChatTemplates::sources() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, entry] : entries_) out[name] = entry.source;
    return out;
}

const std::string& ChatTemplates::source(const std::string& name) const noexcept {
    static const std::string kNone;
    const auto at = entries_.find(name);
    return at == entries_.end() ? kNone : at->second.source;
}

/// The name of the template to use; empty when `wanted` is a template itself.
std::string ChatTemplates::choose(std::string_view wanted, bool with_tools) const {
    if (!wanted.empty()) return std::string(entries_.contains(wanted) ? wanted : std::string_view());
    if (with_tools && entries_.contains("tool_use")) return "tool_use";
    if (entries_.contains("default")) return "default";
    if (entries_.empty()) fail(Code::kNotFound, "{} has no chat template; give one with the call", owner_);
    std::vector<std::string_view> names;
    names.reserve(entries_.size());
    for (const auto& entry : entries_) names.emplace_back(entry.first);
    fail(Code::kNotFound, "{} has no chat template \"default\"; name one of {}", owner_, fmt::join(names, ", "));
}

const ChatTemplate& ChatTemplates::parsed(const std::string& name) const {
    Entry& entry = entries_.find(name)->second;
    std::call_once(entry.once, [&] { entry.parsed = std::make_unique<ChatTemplate>(entry.source); });
    return *entry.parsed;
}

std::string ChatTemplates::apply(std::string_view messages_json, const ChatOptions& options,
                                 const std::map<std::string, std::string>& special_tokens) const {
    if (options.add_generation_prompt && !options.continue_field.empty())
        fail(Code::kInvalidArgument, "a final message that is left open and a generation prompt behind it exclude each other");
    ChatTemplateInput input;
    input.messages_json = messages_json;
    input.add_generation_prompt = options.add_generation_prompt;
    input.tools_json = options.tools_json;
    input.documents_json = options.documents_json;
    input.variables_json = options.variables_json;
    input.continue_field = options.continue_field;
    input.refuse_empty = true;
    for (const auto& [key, token] : special_tokens) input.special_tokens.emplace_back(key, token);
    const std::string name = choose(options.chat_template, !options.tools_json.empty());
    return name.empty() ? ChatTemplate(options.chat_template).render(input) : parsed(name).render(input);
}

}  // namespace rag::core
