#include "tokenizer/chat_template/chat_template.hpp"

#include <array>
#include <chrono>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/parser.hpp"
#include "tokenizer/chat_template/renderer.hpp"

namespace rag::core {

using jinja::Map;
using jinja::Value;

struct ChatTemplate::State {
    ChatTemplateLimits limits;
    jinja::Body body;
};

namespace {

/// transformers passes reasoning under its old and new names: reasoning_content, thinking, reasoning (the first that is there).
Value alias_reasoning(const Value& message) {
    static const std::array<std::string, 3> kFields = {"reasoning_content", "thinking", "reasoning"};
    const Map& given = *message.mapping();
    const Value* reasoning = nullptr;
    for (const std::string& field : kFields) {
        const Value* value = given.find(field);
        if (reasoning == nullptr && value != nullptr && !value->is_none()) reasoning = value;
    }
    if (reasoning == nullptr) return message;
    Map out;
    out.set(Value::text("thinking"), *reasoning);
    for (const auto& [key, value] : given.entries) out.set(key, value);
    out.set(Value::text("reasoning_content"), *reasoning);
    return Value::map(std::move(out));
}

Value parse_messages(std::string_view text) {
    const Value messages = jinja::parse_json(text, "messages");
    const jinja::Sequence* list = messages.sequence();
    if (list == nullptr) fail(Code::kInvalidArgument, "messages must be a JSON array, not {}", messages.type_name());
    std::vector<Value> out;
    for (std::size_t i = 0; i < list->items.size(); ++i) {
        if (list->items[i].mapping() == nullptr)
            fail(Code::kInvalidArgument, "message {} must be a JSON object, not {}", i, list->items[i].type_name());
        out.push_back(alias_reasoning(list->items[i]));
    }
    return Value::list(std::move(out));
}

Value parse_list(std::string_view text, std::string_view what) {
    if (text.empty()) return Value::none();
    Value value = jinja::parse_json(text, what);
    if (value.sequence() == nullptr && !value.is_none())
        fail(Code::kInvalidArgument, "{} must be a JSON array, not {}", what, value.type_name());
    return value;
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, const ChatTemplateLimits& limits) {
    if (source.size() > limits.max_source_bytes)
        fail(Code::kInvalidArgument, "the chat template has {} bytes, at most {} are taken", source.size(),
             limits.max_source_bytes);
    require_utf8(source, "the chat template");
    state_ = std::make_unique<State>(State{limits, jinja::Parser(source).parse()});
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::render(std::string_view messages_json, bool add_generation_prompt) const {
    ChatTemplateInput input;
    input.messages_json = messages_json;
    input.add_generation_prompt = add_generation_prompt;
    return render(input);
}

std::string ChatTemplate::render(const ChatTemplateInput& input) const {
    const auto clock = std::chrono::system_clock::now().time_since_epoch();
    jinja::Renderer renderer(state_->limits, input.now.value_or(std::chrono::duration_cast<std::chrono::seconds>(clock).count()));
    Value variables;
    if (!input.variables_json.empty()) {
        variables = jinja::parse_json(input.variables_json, "variables");
        if (variables.mapping() == nullptr)
            fail(Code::kInvalidArgument, "variables must be a JSON object, not {}", variables.type_name());
    }
    for (const auto& [name, text] : input.special_tokens) {
        require_utf8(text, name);
        renderer.set_global(name, Value::text(text));
    }
    if (variables.mapping() != nullptr) {
        for (const auto& [name, value] : variables.mapping()->entries) renderer.set_global(*name.string(), value);
    }
    renderer.set_global("messages", parse_messages(input.messages_json));
    renderer.set_global("tools", parse_list(input.tools_json, "tools"));
    renderer.set_global("documents", parse_list(input.documents_json, "documents"));
    renderer.set_global("add_generation_prompt", Value::boolean(input.add_generation_prompt));
    return renderer.run(state_->body);
}

}  // namespace rag::core
