// The prompts of a sentence-transformers folder: texts by name that stand in front of what is encoded or scored. Stateless, any
// thread.
#pragma once

#include <map>
#include <string>

#include "model/encoder_files.hpp"

namespace rag::core {

/// What stands in front of every text.
struct EncoderPrompt {
    enum class Kind { kDefault, kNamed, kText, kQuery, kDocument };
    /// kDefault: the folder's default_prompt_name, if it has one. kNamed: the folder's prompt called `text`. kText: `text`
    /// itself. kQuery and kDocument: the first that the folder has of "query", and of "document", "passage" and "corpus", as
    /// sentence-transformers' encode_query and encode_document say; none where it has none of them.
    Kind kind = Kind::kDefault;
    std::string text;
};

/// The text that a prompt of this folder stands for. Throws kNotFound for a name that the folder does not have, listing those it
/// has. `source`: for messages. The result lives as long as both arguments.
const std::string& find_prompt(const EncoderFiles& files, const EncoderPrompt& prompt, const std::string& source);

}  // namespace rag::core
