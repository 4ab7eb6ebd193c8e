#include "tokenizer/chat_template/continue_message.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "tokenizer/chat_template/python_text.hpp"

namespace rag::core::jinja {

namespace {

// The space at its end shows whether the template strips the text.
constexpr std::string_view kMark = "CONTINUE_FINAL_MESSAGE_TAG ";

std::string_view stripped(std::string_view text) {
    return strip(text, nullptr, true, true);
}

Value marked(const std::string& text) {
    return Value::text(text + std::string(kMark));
}

Map with(const Map& map, std::string_view key, Value value) {
    Map out = map;
    out.set(Value::text(std::string(key)), std::move(value));
    return out;
}

/// Reasoning stands under several names: all that hold the same are marked, and the template reads the one it knows.
std::vector<std::string> fields_with(const Map& message, const std::string& field, const Value& value) {
    const auto* end = std::end(kReasoningFields);
    if (std::find(std::begin(kReasoningFields), end, field) == end) return {field};
    std::vector<std::string> out;
    for (const std::string_view name : kReasoningFields) {
        const Value* other = message.find(std::string(name));
        if (other != nullptr && equal(*other, value)) out.emplace_back(name);
    }
    return out;
}

/// The list of parts with the mark behind the last text in it; `text` becomes that text.
Value mark_parts(const Sequence& parts, std::string& text) {
    std::vector<Value> out = parts.items;
    for (std::size_t i = out.size(); i-- > 0;) {
        const Map* part = out[i].mapping();
        const Value* found = part == nullptr ? nullptr : part->find(std::string("text"));
        if (found == nullptr) continue;
        if (found->string() == nullptr)
            fail(Code::kInvalidArgument, "the last text of the final message is {}, not str", found->type_name());
        text = *found->string();
        out[i] = Value::map(with(*part, "text", marked(text)));
        return Value::list(std::move(out));
    }
    fail(Code::kInvalidArgument, "the final message is to be continued, but none of its parts is a text");
}

}  // namespace

OpenMessage open_last_message(const Value& messages, std::string_view field, std::string_view source) {
    const auto& items = messages.sequence()->items;
    if (items.empty()) fail(Code::kInvalidArgument, "a final message is to be continued, but the conversation is empty");
    const Map& last = *items.back().mapping();
    const std::string name(field);
    const Value* value = last.find(name);
    if (value == nullptr || value->is_none())
        fail(Code::kInvalidArgument, "the final message is to be continued, but it has no {}", quote(field, 40));
    const std::vector<std::string> fields = fields_with(last, name, *value);
    if (std::none_of(fields.begin(), fields.end(), [&](const std::string& one) { return source.find(one) != source.npos; }))
        fail(Code::kInvalidArgument, "the final message is to be continued, but the chat template never reads {}",
             quote(field, 40));
    OpenMessage out;
    Value with_mark;
    if (const Sequence* parts = value->sequence()) {
        with_mark = mark_parts(*parts, out.text);
    } else if (const std::string* text = value->string()) {
        out.text = *text;
        with_mark = marked(*text);
    } else {
        fail(Code::kInvalidArgument, "{} of the final message is {}, not a text that can be continued", quote(field, 40),
             value->type_name());
    }
    Map message = last;
    for (const std::string& one : fields) message.set(Value::text(one), with_mark);
    std::vector<Value> all = items;
    all.back() = Value::map(std::move(message));
    out.messages = Value::list(std::move(all));
    return out;
}

std::string cut_at_mark(std::string rendered, const OpenMessage& open) {
    const std::size_t at = rendered.rfind(stripped(kMark));
    if (at == std::string::npos || rendered.find(stripped(open.text)) == std::string::npos)
        fail(Code::kInvalidArgument, "the final message is to be continued, but the chat template does not write it as it is: {}",
             quote(stripped(open.text), 80));
    const bool spaces_kept = std::string_view(rendered).substr(at).starts_with(kMark);
    rendered.resize(at);
    if (!spaces_kept) rendered.resize(strip(rendered, nullptr, false, true).size());
    return rendered;
}

}  // namespace rag::core::jinja
