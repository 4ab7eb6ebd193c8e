// LoRA adapters (https://arxiv.org/abs/2106.09685) as PEFT saves them: adapter_config.json and adapter_model.safetensors in a
// folder, keys such as base_model.model.<module>.lora_A.weight. Read and checked against a model's linear layers before anything
// is merged. Stateless, any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "formats/model_folder.hpp"
#include "model/backend.hpp"
#include "model/weights.hpp"

namespace rag::core {

/// Reads the adapter in `folder` for a model with these linear layers. Modules get the model's own names: the body's name in
/// front
/// ("bert.") is removed and "model." put there where only that makes a layer of the model. Tensors that lie there whole
/// (modules_to_save, bias) are compared with `weights`, the model's; null: they are refused.
/// Throws kNotFound, kUnsupported (a setting or a key that librag does not know, by name), kCorrupt (a module or tensor that the
/// model does not have, half a pair, a shape or rank that does not fit).
AdapterWeights read_adapter(const std::filesystem::path& folder, const LinearShapes& layers, const Weights* weights = nullptr);

/// alpha / r, or alpha / sqrt(r) for rank-stabilised LoRA (https://arxiv.org/abs/2312.03732), with the patterns' values for
/// `module` (PEFT's name of it, without "base_model.model.").
float adapter_scale(const LoraFolderConfig& config, std::string_view module, std::int64_t rank, const std::string& file);

/// The rank that the configuration gives `module`.
std::int64_t adapter_rank(const LoraFolderConfig& config, std::string_view module, const std::string& file);

}  // namespace rag::core
