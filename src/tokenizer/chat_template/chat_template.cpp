#include "tokenizer/chat_template/chat_template.hpp"

#include <algorithm>
#include <chrono>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/continue_message.hpp"
#include "tokenizer/chat_template/first_sets.hpp"
#include "tokenizer/chat_template/parser.hpp"
#include "tokenizer/chat_template/renderer.hpp"

namespace rag::core {

using jinja::Map;
using jinja::Value;

struct ChatTemplate::State {
    ChatTemplateLimits limits;
    std::string source;
    jinja::Body body;
    std::vector<std::string> set_first;  // jinja::names_set_first()
};

namespace {

/// A message as transformers hands it to a template: without keys that hold None, and with reasoning under its old and new names
/// (the first one that is there).
Value prepared(const Value& message) {
    const Map& given = *message.mapping();
    const Value* reasoning = nullptr;
    for (const std::string_view field : jinja::kReasoningFields) {
        const Value* value = given.find(std::string(field));
        if (reasoning == nullptr && value != nullptr && !value->is_none()) reasoning = value;
    }
    Map out;
    if (reasoning != nullptr) out.set(Value::text("thinking"), *reasoning);
    for (const auto& [key, value] : given.entries) {
        if (!value.is_none()) out.set(key, value);
    }
    if (reasoning != nullptr) out.set(Value::text("reasoning_content"), *reasoning);
    return Value::map(std::move(out));
}

/// A JSON array of objects; `one` is what an element is called in messages.
Value parse_objects(std::string_view text, std::string_view what, std::string_view one) {
    Value value = jinja::parse_json(text, what);
    const jinja::Sequence* list = value.sequence();
    if (list == nullptr) fail(Code::kInvalidArgument, "{} must be a JSON array, not {}", what, value.type_name());
    for (std::size_t i = 0; i < list->items.size(); ++i) {
        if (list->items[i].mapping() == nullptr)
            fail(Code::kInvalidArgument, "{} {} must be a JSON object, not {}", one, i, list->items[i].type_name());
    }
    return value;
}

Value parse_messages(const ChatTemplateInput& input) {
    const Value given = parse_objects(input.messages_json, "messages", "message");
    if (input.refuse_empty && given.sequence()->items.empty())
        fail(Code::kInvalidArgument, "messages is empty: a conversation has at least one message");
    std::vector<Value> out;
    for (const Value& message : given.sequence()->items) out.push_back(prepared(message));
    return Value::list(std::move(out));
}

Value parse_optional(std::string_view text, std::string_view what, std::string_view one) {
    return text.empty() || text == "null" ? Value::none() : parse_objects(text, what, one);
}

/// Sets them; the names are views into the value that comes back.
Value set_variables(std::string_view text, jinja::Renderer& renderer) {
    if (text.empty()) return Value::none();
    Value variables = jinja::parse_json(text, "variables");
    if (variables.mapping() == nullptr)
        fail(Code::kInvalidArgument, "variables must be a JSON object, not {}", variables.type_name());
    static constexpr std::string_view kOwn[] = {"messages", "tools", "documents", "add_generation_prompt"};
    for (const auto& [name, value] : variables.mapping()->entries) {
        if (std::find(std::begin(kOwn), std::end(kOwn), *name.string()) != std::end(kOwn))
            fail(Code::kInvalidArgument, "variables: {} has an argument of its own", quote(*name.string()));
        renderer.set_global(*name.string(), value);
    }
    return variables;
}

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, const ChatTemplateLimits& limits) {
    if (source.size() > limits.max_source_bytes)
        fail(Code::kInvalidArgument, "the chat template has {} bytes, at most {} are taken", source.size(),
             limits.max_source_bytes);
    require_utf8(source, "the chat template");
    state_ = std::make_unique<State>(State{limits, std::string(source), jinja::Parser(source).parse(), {}});
    state_->set_first = jinja::names_set_first(state_->body);
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
    for (const auto& [name, text] : input.special_tokens) {
        require_utf8(text, name);
        renderer.set_global(name, Value::text(text));
    }
    const Value variables = set_variables(input.variables_json, renderer);
    jinja::OpenMessage open{parse_messages(input), {}};
    const bool stays_open = !input.continue_field.empty();
    if (stays_open) open = jinja::open_last_message(open.messages, input.continue_field, state_->source);
    renderer.set_global("messages", open.messages);
    renderer.set_global("tools", parse_optional(input.tools_json, "tools", "tool"));
    renderer.set_global("documents", parse_optional(input.documents_json, "documents", "document"));
    renderer.set_global("add_generation_prompt", Value::boolean(input.add_generation_prompt));
    for (const std::string& name : state_->set_first) {
        renderer.set_global(name, jinja::Value::undefined(fmt::format("{} is undefined", quote(name))));
    }
    std::string text = renderer.run(state_->body);
    return stays_open ? jinja::cut_at_mark(std::move(text), open) : text;
}

}  // namespace rag::core
