// Where in a conversation's text the answers stand. Pure functions of the tokenizer's template.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/tokenizer.hpp"

namespace rag::core {

struct ByteSpan {
    std::size_t begin = 0, end = 0;
};
struct ChatText {
    std::string text;               // the whole conversation through the template
    std::vector<ByteSpan> answers;  // what the model is to say: the answers with the mark that ends each
};

/// `messages` and `tools`: JSON as TrainingRow has it. The template is applied to the messages before each answer, which must be
/// a beginning of what it makes of the answer too. Throws kInvalidArgument when it is not (some templates change earlier
/// messages) and what apply_chat_template throws.
ChatText mark_answers(const Tokenizer& tokenizer, const std::string& messages, const std::string& tools);

}  // namespace rag::core
