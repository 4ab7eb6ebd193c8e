// A sentence-transformers folder, as plain structs: modules.json, the configurations of its modules, sentence_bert_config.json,
// config_sentence_transformers.json. Values are checked for type and range and nothing else; whether librag can run such a model
// is for model/ to say. Stateless, any thread. Throws kNotFound (no such file) and kCorrupt naming file, key and value.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rag::core {

/// A Dense module: activation(W x + b) of a text's vector. W and b lie in the module's folder as "linear.weight", "linear.bias".
struct DenseFolderConfig {
    std::filesystem::path folder;
    std::int64_t inputs = 0, outputs = 0;
    bool bias = true;
    std::string activation;   // class in torch.nn: "Tanh", "Identity"
    std::string unsupported;  // a key that changes the arithmetic and is not read here; empty: none
};

/// A LogitScore module, of rerankers that are language models: the logit of one token behind the text, less that of another one
/// where there is one.
struct LogitScoreConfig {
    std::int64_t true_token = 0;
    std::optional<std::int64_t> false_token;
};

/// A folder without modules.json is a plain encoder; then pooling is "mean" and nothing is normalised, as sentence-transformers
/// does.
struct SentenceFolder {
    bool has_modules = false;                    // there is a modules.json
    std::filesystem::path transformer;           // where config.json, the weights and the tokenizer lie
    std::optional<std::int64_t> max_seq_length;  // sentence_bert_config.json, else model_max_length of tokenizer_config.json.
                                                 // Not the truncation in tokenizer.json: MiniLM's says 128 where it means 256
    bool do_lower_case = false;
    std::vector<std::string> pooling;  // "cls", "mean", "max", "mean_sqrt_len_tokens", ...: more than one are concatenated; none
                                       // where modules.json has no Pooling, as that of a CrossEncoder
    bool include_prompt = true;        // false: the prompt's tokens have no part in the pooling
    std::optional<std::int64_t> embedding_dimension;
    std::vector<DenseFolderConfig> dense;  // in their order
    bool normalize = false;
    std::vector<std::string> other_modules;      // class names of modules that are not read, or not at the place where they stand
    std::map<std::string, std::string> prompts;  // by name; put before a text
    std::string default_prompt_name;             // empty: none
    std::optional<std::int64_t> truncate_dim;    // vectors are cut to so many first dimensions
    std::optional<LogitScoreConfig> logit_score;
    std::string score_activation;  // class in torch.nn that a CrossEncoder's scores go through; empty: the file does not say
    /// processing_kwargs of sentence_bert_config.json: chat_template's add_generation_prompt, and a key that is not read here.
    bool add_generation_prompt = false;
    std::string unsupported_processing;  // empty: none
};
SentenceFolder read_sentence_folder(const std::filesystem::path& folder);

}  // namespace rag::core
