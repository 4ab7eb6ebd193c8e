// A sentence-transformers folder with a BERT encoder, read and checked: what the backend needs, and what happens around it.
// Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>

#include "model/backend.hpp"
#include "model/weights.hpp"

namespace rag::core {

struct EncoderFiles {
    EncoderConfig config;
    Weights weights;
    LinearShapes layers;
    std::filesystem::path tokenizer;  // the folder that holds it
    std::int64_t max_tokens = 0;      // special tokens included
    bool normalize = false;           // the folder has a Normalize module
    bool do_lower_case = false;       // texts are lowercased before the tokenizer sees them
};

/// Tensors may carry the prefix "bert." or none. Throws kNotFound, kInvalidArgument (a file), kCorrupt and kUnsupported (another
/// model_type, pooling, activation, module) naming file, key or tensor and the values.
EncoderFiles read_encoder_folder(const std::filesystem::path& folder);

}  // namespace rag::core
