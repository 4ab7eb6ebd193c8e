// The config.json of a saved model: what says how its weights lie there. Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace rag::core {

/// How the weights lie in the folder. `packed` ("int8", "int4"; empty: not) is told as quantization_config with quant_method
/// "librag", so that other programs can tell that they do not know it.
struct SavedWeights {
    std::string type;  // "float32", "bfloat16", "float16": of what is not packed
    std::string packed;
    /// Of a model whose layers differ: the dtype that most have, and "pattern=dtype,..." for the others. config.json has them as
    /// {"librag": {"dtype": ..., "exceptions": ...}}; empty: all are alike.
    std::string dtype, exceptions;
};

/// The text of `config` (a config.json) for weights as `saved` says. Throws as reading it does.
std::string edit_config(const std::filesystem::path& config, const SavedWeights& saved);
/// The same of one JSON object in memory; `name` is for messages.
std::string edit_config(std::string_view json, const std::string& name, const SavedWeights& saved);

/// The text of `path` (config_sentence_transformers.json, which need not be there) with this truncate_dim.
std::string with_truncate_dim(const std::filesystem::path& path, std::int64_t truncate_dim);

/// The exceptions that `folder`/config.json has for a model that is opened in `dtype`; empty where there are none, or no such
/// file. Throws kCorrupt naming file and key.
std::string saved_exceptions(const std::filesystem::path& folder, std::string_view dtype);

/// Throws kUnsupported when `folder`/config.json names a quantization that is not librag's, kVersion for a newer format of
/// librag's. Without a config.json nothing happens.
void check_quantization(const std::filesystem::path& folder);

}  // namespace rag::core
