// Texts that a tokenizer reads as control tokens ("<|im_end|>"), and breaking them where they occur in what comes from outside,
// so that a document or a question cannot speak as the system. Stateless, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

class Tokenizer;

/// Its special tokens, and others that are written as those are ("<|fim_prefix|>").
std::vector<std::string> control_texts(const Tokenizer& tokenizer);

/// A space behind the first character of every control text.
std::string defuse(std::string_view text, const std::vector<std::string>& control_texts);

}  // namespace rag::core
