// The chat templates of one tokenizer, by name, each parsed when it is first used: most who tokenize never ask for one.
// Thread rule: immutable but for that; any thread.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/chat_options.hpp"
#include "tokenizer/chat_template/chat_template.hpp"

namespace rag::core {

class ChatTemplates {
  public:
    /// `sources`: a file's only template is called "default". `owner` is used in messages.
    ChatTemplates(std::map<std::string, std::string> sources, std::string owner);

    /// transformers' PreTrainedTokenizerBase.apply_chat_template without tokenizing. Throws kNotFound (no template), else as
    /// ChatTemplate.
    std::string apply(std::string_view messages_json, const ChatOptions& options,
                      const std::map<std::string, std::string>& special_tokens) const;

    /// The text of a template; empty if there is none of this name.
    const std::string& source(const std::string& name) const noexcept;
    /// All of them, by name.
    std::map<std::string, std::string> sources() const;

  private:
    struct Entry {
        std::string source;
        std::once_flag once;
        std::unique_ptr<ChatTemplate> parsed;
    };

    const ChatTemplate& parsed(const std::string& name) const;
    std::string choose(std::string_view wanted, bool with_tools) const;

    std::string owner_;
    mutable std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace rag::core
