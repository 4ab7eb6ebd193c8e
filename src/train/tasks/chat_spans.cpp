#include "train/tasks/chat_spans.hpp"

#include "core/error.hpp"
#include "train/data/json_value.hpp"

namespace rag::core {
namespace {

std::string render(const Tokenizer& tokenizer, const JsonValue& messages, const std::string& tools, bool open) {
    ChatOptions options;
    options.add_generation_prompt = open;
    options.tools_json = tools;
    return tokenizer.apply_chat_template(messages.dump(), options);
}

}  // namespace

ChatText mark_answers(const Tokenizer& tokenizer, const std::string& messages, const std::string& tools) {
    const JsonValue all = parse_value(messages).value_or(JsonValue());
    if (!all.is_array()) fail(Code::kInvalidArgument, "the messages are no JSON list");
    ChatText out;
    out.text = render(tokenizer, all, tools, false);
    JsonValue before = JsonValue::array();
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool answer = all[i].value("role", "") == "assistant";
        if (!answer) {
            before.push_back(all[i]);
            continue;
        }
        // Templates that refuse a conversation without a question cannot open one either; then there is nothing in front.
        std::string question = before.empty() ? std::string() : render(tokenizer, before, tools, true);
        before.push_back(all[i]);
        const std::string answered = i + 1 == all.size() ? out.text : render(tokenizer, before, tools, false);
        // Where the prompt opens more than the answer has (an empty thought), what both begin with is the question.
        if (!answered.starts_with(question) && before.size() > 1) {
            JsonValue asked = before;
            asked.erase(asked.size() - 1);
            question = render(tokenizer, asked, tools, false);
        }
        if (!answered.starts_with(question) || !out.text.starts_with(answered))
            fail(Code::kInvalidArgument,
                 "the chat template changes what stands before or in message {} when messages follow: its answers cannot be told "
                 "apart; train on conversations with one answer",
                 i + 1);
        std::size_t end = answered.size();
        // White space behind the end mark belongs to the next turn.
        while (end > question.size() && (answered[end - 1] == '\n' || answered[end - 1] == ' ')) --end;
        if (end > question.size()) out.answers.push_back({question.size(), end});
    }
    return out;
}

}  // namespace rag::core
