// Files of tokenizers, read as untrusted, into TokenizerParts. Stateless, any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer_parts.hpp"

namespace rag::core {

class GgufFile;

/// A tokenizer.json in memory.
TokenizerParts load_json(const std::string& text, const std::string& name);
/// A BERT's vocab.txt: one token a line, its number is the id; tokenizer_config.json beside it says whether it lowers case.
TokenizerParts load_vocab_text(const std::filesystem::path& file);
/// A folder with vocab.json and merges.txt; its tokenizer_config.json must name the class.
TokenizerParts load_vocab_merges(const std::filesystem::path& folder);
/// A tiktoken file: its pattern is that of pattern.txt beside it, or the published one if it is called cl100k_base or o200k_base.
TokenizerParts load_tiktoken(const std::filesystem::path& file);
/// The same in memory, with special tokens that have ids of their own.
TokenizerParts load_tiktoken_text(std::string_view text, const std::string& pattern, std::vector<AddedToken> declared,
                                  const std::string& name);
/// An RWKV vocabulary in memory; whether a text looks like one.
TokenizerParts load_rwkv(std::string_view text, const std::string& name);
bool is_rwkv_vocabulary(std::string_view text);
/// A SentencePiece model in memory: what SentencePiece itself does, without special tokens.
TokenizerParts load_sentencepiece(std::span<const std::byte> bytes, const std::string& name);
/// The same in a folder, with the special tokens that tokenizer_config.json beside it asks for.
TokenizerParts load_sentencepiece_folder(const std::filesystem::path& file);
/// The tokenizer inside a GGUF file.
TokenizerParts load_gguf(const std::filesystem::path& file);
TokenizerParts load_gguf(const GgufFile& file);
/// What a tokenizer_config.json or special_tokens_map.json in memory adds.
void read_configuration(std::string_view text, const std::string& name, TokenizerParts& parts);
/// What tokenizer_config.json, special_tokens_map.json and chat_template.jinja in `folder` add; absent files add nothing.
void load_configuration(const std::filesystem::path& folder, TokenizerParts& parts);
/// Added tokens that the configurations in `folder` name and its tokenizer.json lacks, behind those it has, as transformers adds
/// them: the declared ones by rising id, then the special ones.
void add_missing_tokens(const std::filesystem::path& folder, TokenizerParts& parts);
/// The tokens that tokenizer_config.json (added_tokens_decoder) or, without that, added_tokens.json declares, by rising id. For
/// folders without a tokenizer.json, which would hold them.
std::vector<AddedToken> read_declared_tokens(const std::filesystem::path& folder);

}  // namespace rag::core
