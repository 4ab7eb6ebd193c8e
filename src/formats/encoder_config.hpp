// config.json of the encoder families, and what it says of a classification head, as plain structs. Values are checked for type
// and range (dimensions up to 2^24, layers up to 4096, labels up to 65,536) and nothing else; whether librag can run such a model
// is for model/ to say. Stateless, any thread. Every function throws kNotFound (no such file) and kCorrupt naming file, key and
// value.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rag::core {

/// BERT and its relatives: BERT, RoBERTa, XLM-RoBERTa and MPNet; DistilBERT under its own keys.
struct BertFolderConfig {
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, intermediate_size = 0;
    std::int64_t max_positions = 0;    // rows of the table of positions
    std::int64_t type_vocab_size = 0;  // DistilBERT and MPNet have none: 0
    double layer_norm_eps = 1e-12;
    std::string hidden_act;               // "gelu", "gelu_new", "relu", ...
    std::string position_embedding_type;  // "absolute" unless the file says otherwise
    std::int64_t pad_token_id = 0;
    std::int64_t relative_buckets = 0;  // MPNet
    bool is_decoder = false;            // attends to what is before a token only
};
BertFolderConfig read_bert_config(const std::filesystem::path& folder);
BertFolderConfig read_distilbert_config(const std::filesystem::path& folder);

/// ModernBERT.
struct ModernBertFolderConfig {
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, intermediate_size = 0, max_positions = 0;
    double norm_eps = 1e-5;
    std::string hidden_activation;
    std::vector<bool> global_layers;   // one a layer; the others see local_attention / 2 tokens to each side
    std::int64_t local_attention = 0;  // tokens
    double global_theta = 0, local_theta = 0;
    std::string rope_type;  // "default" unless the file scales rotary positions
    bool attention_bias = false, mlp_bias = false, norm_bias = false;
};
ModernBertFolderConfig read_modernbert_config(const std::filesystem::path& folder);

/// What config.json says of a sequence classification head.
struct ClassifierFolderConfig {
    std::vector<std::string> architectures;  // "BertForSequenceClassification"
    std::vector<std::string> labels;         // by id; transformers' LABEL_0, LABEL_1 where the file has none
    std::string problem_type;                // "single_label_classification", ..., or empty
    /// The class in torch.nn that a CrossEncoder's scores go through ("Sigmoid", "Identity"); empty: sentence-transformers'
    /// choice.
    std::string activation;
    std::string pooling;          // ModernBERT's classifier_pooling: "cls" or "mean"
    std::string head_activation;  // ModernBERT's classifier_activation
    bool head_bias = false;       // ModernBERT's classifier_bias
};
ClassifierFolderConfig read_classifier_config(const std::filesystem::path& folder);

}  // namespace rag::core
