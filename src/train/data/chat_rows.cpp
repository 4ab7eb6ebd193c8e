// Conversations in the shapes of chat templates ("messages"), ShareGPT ("conversations" of "from" and "value"), Alpaca
// ("instruction", "input", "output", "system", "history") and completions ("prompt", "completion"), all as messages.

#include "core/error.hpp"
#include "text/readers/fields.hpp"
#include "train/data/row_shapes.hpp"

namespace rag::core {
namespace {

using json = JsonValue;

constexpr std::size_t kMaxMessages = 4096;

const std::string& text_member(const json& object, const char* name, std::string_view what) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) fail(Code::kInvalidArgument, "{} has no text {}", what, quote(name));
    return found->get_ref<const std::string&>();
}

json message(const char* role, const std::string& content) {
    return {{"role", role}, {"content", content}};
}

/// A list that may stand as JSON in a text.
json list_of(const json& value, const char* what) {
    json list = value.is_string() ? parse_value(value.get_ref<const std::string&>()).value_or(json()) : value;
    if (!list.is_array()) fail(Code::kInvalidArgument, "{} is no list", what);
    if (list.size() > kMaxMessages)
        fail(Code::kInvalidArgument, "{} has {} items, at most {} are taken", what, list.size(), kMaxMessages);
    return list;
}

void check_message(const json& item, std::size_t place) {
    const std::string what = fmt::format("message {}", place + 1);
    if (!item.is_object()) fail(Code::kInvalidArgument, "{} is no object", what);
    if (text_member(item, "role", what).empty()) fail(Code::kInvalidArgument, "{} has an empty role", what);
    const auto content = item.find("content");
    const bool calls = item.contains("tool_calls") && item["tool_calls"].is_array() && !item["tool_calls"].empty();
    if (content == item.end() || content->is_null()) {
        if (!calls) fail(Code::kInvalidArgument, "{} has no content", what);
    } else if (!content->is_string() && !content->is_array()) {
        fail(Code::kInvalidArgument, "the content of {} is {}, it must be a text or a list of parts", what, content->type_name());
    }
}

/// {"name": ..., "arguments": ...} in a text, as OpenAI's and the templates' tool calls.
json tool_call(const std::string& text, const std::string& what) {
    json call = parse_value(text).value_or(json());
    if (call.is_object()) call = json::array({call});
    if (!call.is_array() || call.empty()) fail(Code::kInvalidArgument, "{} is no call of a function in JSON", what);
    json calls = json::array();
    for (json& one : call) {
        if (!one.is_object() || !one.contains("name") || !one["name"].is_string())
            fail(Code::kInvalidArgument, "{} is a call without the name of a function", what);
        calls.push_back({{"type", "function"}, {"function", std::move(one)}});
    }
    return {{"role", "assistant"}, {"content", ""}, {"tool_calls", std::move(calls)}};
}

json sharegpt_message(const json& turn, std::size_t place) {
    const std::string what = fmt::format("turn {}", place + 1);
    if (!turn.is_object()) fail(Code::kInvalidArgument, "{} is no object", what);
    if (turn.contains("role")) return turn;  // the newer spelling
    const std::string& from = text_member(turn, "from", what);
    const std::string& value = text_member(turn, "value", what);
    if (from == "human" || from == "user") return message("user", value);
    if (from == "gpt" || from == "assistant" || from == "chatgpt" || from == "model") return message("assistant", value);
    if (from == "system") return message("system", value);
    if (from == "function_call") return tool_call(value, what);
    if (from == "observation" || from == "tool" || from == "function_response") return message("tool", value);
    fail(Code::kInvalidArgument, "{} is from {}, which is none of human, gpt, system, function_call, observation", what,
         quote(from));
}

json sharegpt_messages(const json& object) {
    json messages = json::array();
    if (object.contains("system") && object["system"].is_string() && !object["system"].get_ref<const std::string&>().empty())
        messages.push_back(message("system", object["system"]));
    const json turns = list_of(object["conversations"], "\"conversations\"");
    for (std::size_t i = 0; i < turns.size(); ++i) messages.push_back(sharegpt_message(turns[i], i));
    return messages;
}

json alpaca_messages(const json& object) {
    json messages = json::array();
    const auto optional_text = [&](const char* name) {
        const auto found = object.find(name);
        if (found == object.end() || found->is_null()) return std::string();
        return text_member(object, name, "the row");
    };
    const std::string system = optional_text("system");
    if (!system.empty()) messages.push_back(message("system", system));
    if (object.contains("history") && !object["history"].is_null()) {
        for (const json& pair : list_of(object["history"], "\"history\"")) {
            if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
                fail(Code::kInvalidArgument, "\"history\" must be a list of pairs of texts");
            messages.push_back(message("user", pair[0]));
            messages.push_back(message("assistant", pair[1]));
        }
    }
    std::string asked = text_member(object, "instruction", "the row");
    const std::string input = optional_text("input");
    if (!input.empty()) asked += (asked.empty() ? "" : "\n") + input;
    messages.push_back(message("user", asked));
    messages.push_back(message("assistant", text_member(object, "output", "the row")));
    return messages;
}

/// An answer that says something, behind something to answer: else there is nothing to learn.
void check_answers(const json& messages) {
    bool answered = false;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        check_message(messages[i], i);
        if (messages[i]["role"] != "assistant") continue;
        const auto content = messages[i].find("content");
        const bool blank = content == messages[i].end() || content->is_null() ||
                           (content->is_string() && is_blank_text(content->get_ref<const std::string&>()));
        answered = answered || !blank || messages[i].contains("tool_calls");
    }
    if (!answered)
        fail(Code::kInvalidArgument, "the conversation has no answer: no message of \"assistant\" that says something");
}

}  // namespace

std::optional<TrainingRow> shape_chat(const json& object, const RowColumns& columns) {
    const std::string name = columns.messages.value_or("messages");
    json messages;
    if (object.contains(name)) {
        messages = list_of(object[name], "the list of messages");
        // Some files call ShareGPT's turns messages.
        if (!messages.empty() && messages[0].is_object() && messages[0].contains("from"))
            for (std::size_t i = 0; i < messages.size(); ++i) messages[i] = sharegpt_message(messages[i], i);
    } else if (columns.messages) {
        fail(Code::kInvalidArgument, "there is no {}", quote(name));
    } else if (object.contains("conversations")) {
        if (object.contains("chosen") || object.contains("rejected"))
            fail(Code::kInvalidArgument,
                 "this is preference data (\"chosen\" and \"rejected\"), which no task of librag trains on");
        messages = sharegpt_messages(object);
    } else if (object.contains("instruction") && object.contains("output")) {
        messages = alpaca_messages(object);
    } else if (object.contains("prompt") && object.contains("completion")) {
        messages = json::array({message("user", text_member(object, "prompt", "the row")),
                                message("assistant", text_member(object, "completion", "the row"))});
    } else {
        return std::nullopt;
    }
    check_answers(messages);
    TrainingRow row;
    row.kind = RowKind::kChat;
    row.messages = messages.dump();
    if (object.contains("tools") && !object["tools"].is_null()) {
        const json& tools = object["tools"];
        if (!(tools.is_string() && is_blank_text(tools.get_ref<const std::string&>()))) {
            const json list = list_of(tools, "\"tools\"");
            if (!list.empty()) row.tools = list.dump();
        }
    }
    return row;
}

}  // namespace rag::core
