// Chat templates: messages to the text that a model was trained on. A template is Jinja as transformers sets it up
// (jinja2 3.1, ImmutableSandboxedEnvironment, trim_blocks, lstrip_blocks, loop controls, its own tojson, raise_exception,
// strftime_now, {% generation %}), interpreted here without Python; docs of the language: jinja.palletsprojects.com/templates.
// What is not known (include, import, block, rarely used filters) is an Error that names it and its line, never other text.
// Thread rule: immutable after construction, render() from any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rag::core {

/// Bounds of one rendering; passing one is Error(kInvalidArgument) that names it and the line. A template comes from a model file
/// and is not trusted.
struct ChatTemplateLimits {
    std::uint64_t max_steps = 2'000'000;         // nodes evaluated, elements walked, 64 bytes of text made
    std::uint64_t max_output_bytes = 16U << 20;  // of the rendered text
    std::uint32_t max_depth = 400;               // nodes and calls inside each other; about 1 kB of stack each
    std::uint64_t max_source_bytes = 1U << 20;   // of the template
};

/// What a template can see beside `messages`. Views must outlive the call.
struct ChatTemplateInput {
    /// A JSON array of objects ({"role": ..., "content": ...}). Their keys that hold null are left out, as in transformers'
    /// apply_chat_template.
    std::string_view messages_json;
    bool add_generation_prompt = false;
    std::string_view tools_json = {};      // a JSON array of objects; empty: none
    std::string_view documents_json = {};  // a JSON array of objects; empty: none
    std::string_view variables_json = {};  // further variables, a JSON object; empty: none
    /// The tokenizer's special tokens by transformers' names: {"bos_token", "<s>"} ...; one that is not here is undefined.
    std::vector<std::pair<std::string, std::string>> special_tokens = {};
    /// Seconds since 1970 for strftime_now; unset: the system's clock.
    std::optional<std::int64_t> now = {};
    /// Leaves this field of the last message open, as transformers' continue_final_message. Empty: no.
    std::string_view continue_field = {};
    /// A conversation without messages is an Error, as in transformers' apply_chat_template.
    bool refuse_empty = false;
};

class ChatTemplate {
  public:
    /// Parses. Error(kInvalidArgument: syntax, size, nesting; kUnsupported: a tag that is not known) with the line.
    explicit ChatTemplate(std::string_view source, const ChatTemplateLimits& limits = {});
    ~ChatTemplate();
    ChatTemplate(ChatTemplate&&) noexcept;
    ChatTemplate& operator=(ChatTemplate&&) noexcept;

    /// The text for the model. Error(kInvalidArgument): the JSON is not what it should be, the template refuses the messages
    /// (raise_exception, an operation on an undefined value), or a limit is passed; kUnsupported: a filter, test or method that
    /// is not known. All but errors of JSON name the line.
    std::string render(const ChatTemplateInput& input) const;
    std::string render(std::string_view messages_json, bool add_generation_prompt) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace rag::core
