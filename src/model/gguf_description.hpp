// What lies beside the weights in a Hugging Face folder, made from a GGUF file: config.json, tokenizer.json and
// tokenizer_config.json. For files of the architecture llama with plain rotary positions. Stateless, any thread.
#pragma once

#include <filesystem>

#include "formats/saved_config.hpp"
#include "model/backend.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

/// `tokenizer` may be null: then the folder has none. Throws kUnsupported for another architecture or scaled positions, kIo.
void describe_gguf_model(const std::filesystem::path& gguf, const DecoderConfig& config, const Tokenizer* tokenizer,
                         const std::filesystem::path& folder, const SavedWeights& saved);

}  // namespace rag::core
