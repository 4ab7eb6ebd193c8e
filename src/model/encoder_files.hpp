// An encoder's folder, read and checked: what the backend needs, and what happens around it. Two readings of a folder: as a
// sentence-transformers model, which gives vectors, and as a sequence classifier, which gives a value for each label.
// Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/backend_training.hpp"
#include "model/rerank_prompt.hpp"
#include "model/weights.hpp"

namespace rag::core {

struct EncoderFiles {
    EncoderConfig config;
    Weights weights;
    LinearShapes layers;
    std::filesystem::path tokenizer;  // the folder that holds it
    std::int64_t max_tokens = 0;      // special tokens included
    bool do_lower_case = false;       // texts are lowercased before the tokenizer sees them
    // Of a sentence-transformers folder.
    bool normalize = false;                      // the folder has a Normalize module
    bool include_prompt = true;                  // false: the prompt's tokens have no part in the pooling
    std::map<std::string, std::string> prompts;  // by name
    std::string default_prompt_name;             // empty: none
    std::int64_t truncate_dim = 0;               // vectors are cut to so many first dimensions; 0: not
    // Of a classifier.
    std::vector<std::string> labels;
    std::string problem_type;      // "multi_label_classification", ..., or empty
    std::string score_activation;  // "Sigmoid", "Identity", or empty: what sentence-transformers does without one
    /// Of a reranker that is a language model: how it reads a pair.
    std::optional<RerankStyle> rerank;
    std::shared_ptr<const Tokenizer> opened_tokenizer;  // where reading the folder took it; else null
    // What a folder of the whole model with its head calls things.
    std::string prefix;  // of the body's tensors: "bert."
    /// What files put in front of the names of `layers`: a decoder's have it already.
    std::string layer_prefix() const { return config.decoder ? std::string() : prefix; }
    bool first_stage_in_body = false;  // the first stage's tensors carry it too
};

/// Tensors may carry the family's prefix ("bert.", "roberta.", ...) or none; norms may be called gamma and beta. Throws
/// kNotFound, kInvalidArgument (a file), kCorrupt and kUnsupported (another model_type, pooling, activation, module) naming file,
/// key or tensor and the values.
EncoderFiles read_encoder_folder(const std::filesystem::path& folder);

/// The same for a folder of a NAMEForSequenceClassification, which CrossEncoders are too, or of a reranker that is a language
/// model (a LogitScore in modules.json, or without modules.json NAMEForCausalLM): its one score is the logit of "yes" less that
/// of "no".
EncoderFiles read_classifier_folder(const std::filesystem::path& folder);

/// For training: a classifier of these labels, whether the folder has such a head or not. `missing`: tensors of the head that the
/// folder lacks, or has for another number of labels; they are in no Weights yet.
EncoderFiles read_new_classifier(const std::filesystem::path& folder, const std::vector<std::string>& labels,
                                 std::vector<ExpectedTensor>& missing);

/// For training: the body with the head that fills in tokens (NAMEForMaskedLM). Vectors are not pooled. kUnsupported for a family
/// without one.
EncoderFiles read_token_model(const std::filesystem::path& folder, TokenHead& head, std::vector<ExpectedTensor>& missing);

/// The name in transformers' NAMEForSequenceClassification or NAMEForMaskedLM of a tensor of `files`.
std::string whole_model_name(const EncoderFiles& files, const std::string& tensor);

}  // namespace rag::core
