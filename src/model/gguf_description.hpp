// What lies beside the weights in a Hugging Face folder, made from a GGUF file: config.json of its family, tokenizer.json and
// tokenizer_config.json. Stateless, any thread.
#pragma once

#include <filesystem>
#include <string>

#include "formats/gguf.hpp"
#include "formats/saved_config.hpp"
#include "model/backend.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {

/// config.json, as transformers reads it, of a model that read_decoder_gguf read from `file`. Throws kUnsupported for factors of
/// rotary positions ("rope_freqs.weight") that are not those of a published Llama 3.
std::string gguf_config_json(const GgufFile& file, const DecoderConfig& config);

/// Writes the files. `tokenizer` may be null: then the folder has none. Throws as gguf_config_json, kIo.
void describe_gguf_model(const std::filesystem::path& gguf, const DecoderConfig& config, const Tokenizer* tokenizer,
                         const std::filesystem::path& folder, const SavedWeights& saved);

}  // namespace rag::core
