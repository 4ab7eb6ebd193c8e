// An encoder's folder, read and checked: what the backend needs, and what happens around it. Two readings of a folder: as a
// sentence-transformers model, which gives vectors, and as a sequence classifier, which gives a value for each label.
// Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/backend.hpp"
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
    // Of a classifier.
    std::vector<std::string> labels;
    std::string problem_type;      // "multi_label_classification", ..., or empty
    std::string score_activation;  // "Sigmoid", "Identity", or empty: what sentence-transformers does without one
};

/// Tensors may carry the family's prefix ("bert.", "roberta.", ...) or none; norms may be called gamma and beta. Throws
/// kNotFound, kInvalidArgument (a file), kCorrupt and kUnsupported (another model_type, pooling, activation, module) naming file,
/// key or tensor and the values.
EncoderFiles read_encoder_folder(const std::filesystem::path& folder);

/// The same for a folder of a NAMEForSequenceClassification, which CrossEncoders are too.
EncoderFiles read_classifier_folder(const std::filesystem::path& folder);

}  // namespace rag::core
