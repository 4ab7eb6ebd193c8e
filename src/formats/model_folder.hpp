// The configuration files of a model's folder, as plain structs: what a sentence-transformers folder and a PEFT LoRA folder say
// about themselves (a decoder's: decoder_folder.hpp). Values are checked for type and range (dimensions up to 2^24, layers up to
// 4096) and nothing else; whether librag can run such a model is for model/ to say. Stateless, any thread. Every function throws
// kNotFound (no such file) and kCorrupt naming file, key and value; read_lora_config also kUnsupported.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rag::core {

/// "model_type" of the folder's config.json: "bert", "llama".
std::string read_model_type(const std::filesystem::path& folder);

/// config.json of a BERT model.
struct BertFolderConfig {
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, intermediate_size = 0;
    std::int64_t max_positions = 0, type_vocab_size = 0;
    double layer_norm_eps = 1e-12;
    std::string hidden_act;               // "gelu", "gelu_new", "relu", ...
    std::string position_embedding_type;  // "absolute" unless the file says otherwise
};
BertFolderConfig read_bert_config(const std::filesystem::path& folder);

/// A sentence-transformers folder: modules.json, sentence_bert_config.json, tokenizer_config.json, the pooling's config.json.
/// A folder without modules.json is a plain encoder; then pooling is "mean" and nothing is normalised, as sentence-transformers
/// does.
struct SentenceFolder {
    std::filesystem::path transformer;           // where config.json, the weights and the tokenizer lie
    std::optional<std::int64_t> max_seq_length;  // sentence_bert_config.json, else model_max_length of tokenizer_config.json.
                                                 // Not the truncation in tokenizer.json: MiniLM's says 128 where it means 256
    bool do_lower_case = false;
    std::vector<std::string> pooling;  // "cls", "mean", "max", "mean_sqrt_len_tokens", ...: more than one are concatenated
    std::optional<std::int64_t> embedding_dimension;
    bool normalize = false;
    std::vector<std::string> other_modules;  // class names of modules other than Transformer, Pooling and Normalize: "Dense"
};
SentenceFolder read_sentence_folder(const std::filesystem::path& folder);

/// adapter_config.json of a PEFT LoRA folder. What changes the arithmetic and is not read here (DoRA, fan_in_fan_out,
/// modules_to_save, bias other than none, ...) is refused by name, never ignored.
struct LoraFolderConfig {
    std::int64_t r = 0;
    double lora_alpha = 0;
    bool use_rslora = false;
    std::vector<std::string> target_modules;  // a list of suffixes; one entry that is a regular expression if is_regex
    bool target_is_regex = false;
    std::map<std::string, std::int64_t> rank_pattern;  // module suffix or regular expression -> r
    std::map<std::string, double> alpha_pattern;
};
LoraFolderConfig read_lora_config(const std::filesystem::path& folder);

}  // namespace rag::core
