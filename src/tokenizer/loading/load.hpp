// Files of tokenizers, read as untrusted, into TokenizerParts. Stateless, any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer_parts.hpp"

namespace rag::core {

/// A tokenizer.json in memory.
TokenizerParts load_json(std::string_view text, const std::string& name);
/// A BERT's vocab.txt: one token a line, its number is the id; tokenizer_config.json beside it says whether it lowers case.
TokenizerParts load_vocab_text(const std::filesystem::path& file);
/// The tokenizer inside a GGUF file.
TokenizerParts load_gguf(const std::filesystem::path& file);
/// What tokenizer_config.json, special_tokens_map.json and chat_template.jinja in `folder` add; absent files add nothing.
void load_configuration(const std::filesystem::path& folder, TokenizerParts& parts);

}  // namespace rag::core
