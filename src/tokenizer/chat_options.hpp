// What Tokenizer::apply_chat_template takes beside the messages, by transformers' names. Views must outlive the call.
#pragma once

#include <string_view>

namespace rag::core {

struct ChatOptions {
    bool add_generation_prompt = false;    // the template is asked to open the answer
    std::string_view tools_json = {};      // a JSON array of objects; empty: none
    std::string_view documents_json = {};  // a JSON array of objects; empty: none
    std::string_view variables_json = {};  // further variables of the template, a JSON object; empty: none
    /// The name of one of the file's templates, or a template itself (then parsed by each call). Empty: the file's own, where
    /// there are several "tool_use" when tools are given, else "default".
    std::string_view chat_template = {};
    /// Leaves this field of the last message ("content", "reasoning_content" ...) open, so that a model goes on with it. Empty:
    /// no. Not together with add_generation_prompt.
    std::string_view continue_field = {};
};

}  // namespace rag::core
