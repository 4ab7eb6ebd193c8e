// A question and its passages to the messages of a chat model, within a budget of tokens: passages are numbered [1] to [k], the
// last ones are dropped first, the one that no longer fits whole is cut at the end of a sentence. What was really in the
// prompt is recorded byte by byte: a citation may point only there. Stateless; any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

class Tokenizer;

struct PromptPassage {
    std::string_view text;   // well-formed UTF-8
    std::string_view title;  // may be empty; shown, never cited
};

/// Bytes [start, end) of passages[passage].text that are in the prompt.
struct PromptSpan {
    std::size_t passage = 0;
    std::size_t start = 0;
    std::size_t end = 0;
    friend bool operator==(const PromptSpan&, const PromptSpan&) = default;
};

struct PromptOptions {
    /// Tokens of the whole prompt, as count_tokens counts them.
    std::size_t max_tokens = 2048;
    /// What the model is told to do; empty: an instruction in the language of the question (English, or Chinese where Han
    /// ideographs prevail).
    std::string instruction;
    /// Texts that the tokenizer reads as control tokens (tokenizer/control_texts.hpp). Where they occur in the question or a
    /// passage they are broken by a space, so that a document cannot speak as the system.
    std::vector<std::string> control_texts;
};

struct Prompt {
    std::string messages_json;      // [{"role": "system", ...}, {"role": "user", ...}], for the chat template
    std::vector<PromptSpan> spans;  // in the order of the passages; passage i of them has the number i + 1 in the prompt
    std::size_t tokens = 0;         // of the whole prompt
};

/// Tokens of a prompt with these messages: rendered by the chat template and tokenized.
using PromptCounter = std::function<std::size_t(std::string_view messages_json)>;

/// Error(kInvalidArgument): an empty question, text that is no UTF-8, or a budget that the question alone passes (both sizes are
/// named). Without passages, or when none fits, the prompt holds the question alone and says so to the model.
Prompt build_prompt(std::string_view question, std::span<const PromptPassage> passages, const PromptOptions& options,
                    const PromptCounter& count_tokens);

/// True where Han ideographs outnumber the words of other scripts.
bool is_mostly_han(std::string_view utf8);

}  // namespace rag::core
