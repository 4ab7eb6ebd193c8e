// The configuration files of a model's folder, as plain structs: what a PEFT LoRA folder says about itself (a decoder's:
// decoder_folder.hpp; an encoder's: encoder_config.hpp, sentence_folder.hpp). Values are checked for type and range (dimensions
// up to 2^24) and nothing else; whether librag can run such a model is for model/ to say. Stateless, any thread. Every function
// throws kNotFound (no such file) and kCorrupt naming file, key and value; read_lora_config also kUnsupported.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rag::core {

/// "model_type" of the folder's config.json: "bert", "llama".
std::string read_model_type(const std::filesystem::path& folder);

/// adapter_config.json of a PEFT LoRA folder. What changes the arithmetic and is not read here (DoRA, layer_replication, ...) is
/// refused by name, never ignored. fan_in_fan_out says how a layer of another class than torch.nn.Linear stores its weights; no
/// model that librag computes has one, and PEFT itself leaves it out for those.
struct LoraFolderConfig {
    std::int64_t r = 0;
    double lora_alpha = 0;
    bool use_rslora = false;
    std::vector<std::string> target_modules;  // a list of suffixes; one entry that is a regular expression if is_regex
    bool target_is_regex = false;
    std::map<std::string, std::int64_t> rank_pattern;  // module suffix or regular expression -> r
    std::map<std::string, double> alpha_pattern;
    std::vector<std::string> modules_to_save;  // what names of modules end with whose tensors lie in the file whole
    bool trained_biases = false;               // bias is "all" or "lora_only": so do biases
};
LoraFolderConfig read_lora_config(const std::filesystem::path& folder);

}  // namespace rag::core
