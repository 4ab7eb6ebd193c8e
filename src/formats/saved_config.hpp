// The config.json of a saved model: the original one with another element type, or one made for a Llama that came as GGUF.
// Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace rag::core {

/// How the weights lie in the folder. `packed` ("int8", "int4"; empty: not) is told as quantization_config with quant_method
/// "librag", so that other programs can tell that they do not know it.
struct SavedWeights {
    std::string type;  // "float32", "bfloat16", "float16": of what is not packed
    std::string packed;
};

/// A Llama by Hugging Face's names.
struct LlamaDescription {
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, intermediate_size = 0;
    std::int64_t context_length = 0;
    double rms_norm_eps = 1e-5, rope_theta = 10000.0;
    bool tied_embeddings = false;
    std::optional<std::int64_t> bos_token, eos_token;
};

/// The text of `config` (a config.json) for weights as `saved` says. Throws as reading it does.
std::string edit_config(const std::filesystem::path& config, const SavedWeights& saved);
std::string llama_config(const LlamaDescription& model, const SavedWeights& saved);

/// Throws kUnsupported when `folder`/config.json names a quantization that is not librag's, kVersion for a newer format of
/// librag's. Without a config.json nothing happens.
void check_quantization(const std::filesystem::path& folder);

}  // namespace rag::core
