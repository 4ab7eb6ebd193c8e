// A conversation whose last message stays open: a mark is put behind the text that is to be continued, and what the template
// writes from the mark on is cut off again. As transformers' continue_final_message does it. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/chat_template/value.hpp"

namespace rag::core::jinja {

struct OpenMessage {
    Value messages;    // with the mark
    std::string text;  // of the last message, without it
};

/// Error(kInvalidArgument): no message, no text in `field` of the last one, or a template (`source`) that never reads it.
OpenMessage open_last_message(const Value& messages, std::string_view field, std::string_view source);

/// `rendered` without the mark and what follows it. Error(kInvalidArgument) if the template did not write the text.
std::string cut_at_mark(std::string rendered, const OpenMessage& open);

/// The names that transformers knows a message's reasoning by, the one that templates read first.
inline constexpr std::string_view kReasoningFields[] = {"reasoning_content", "thinking", "reasoning"};

}  // namespace rag::core::jinja
