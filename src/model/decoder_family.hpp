// The families of decoders: how each turns its configuration into a DecoderConfig, and which tensors its layers hold. One family
// a file (llama_family.cpp, qwen_family.cpp, gemma_family.cpp); decoder_files.cpp and decoder_gguf.cpp read the files. Stateless,
// any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/decoder_folder.hpp"
#include "model/backend.hpp"
#include "model/weights.hpp"

namespace rag::core {

/// What a layer holds beside Llama's tensors. {} in a name is an expert's number.
struct LayerTensors {
    bool qkv_bias = false;
    bool output_bias = false;
    bool mlp_bias = false;
    bool head_norms = false;
    bool gemma_norms = false;  // norms before and behind both halves of a layer
    std::string_view router = "mlp.gate";
    std::string_view expert_gate = "mlp.experts.{}.gate_proj";
    std::string_view expert_up = "mlp.experts.{}.up_proj";
    std::string_view expert_down = "mlp.experts.{}.down_proj";
};

struct DecoderFamily {
    std::string_view model_type;  // of config.json
    double default_theta;
    std::int64_t default_positions;  // max_position_embeddings where a file does not say
    bool tied_by_default;
    /// Fills in what is the family's own; sizes, norms' epsilon and rotary positions are there. Throws kUnsupported (a setting
    /// that librag does not compute) and kCorrupt, naming file, key and value.
    void (*complete)(const DecoderFolderConfig& file, DecoderConfig& config);
    LayerTensors (*tensors)(const DecoderConfig& config);
};

/// The members of the three families.
std::span<const DecoderFamily> llama_family();
std::span<const DecoderFamily> qwen_family();
std::span<const DecoderFamily> gemma_family();

/// The entry of `model_type`, or nullptr.
const DecoderFamily* find_decoder_family(std::string_view model_type);
/// "gemma2, gemma3_text, llama, ...", for messages.
std::string decoder_family_names();

/// config.json as a DecoderConfig. Throws as DecoderFamily::complete.
DecoderConfig decoder_config_of(const DecoderFolderConfig& file);

/// The tensors that the configuration asks for; file_name is the Hugging Face name.
std::vector<ExpectedTensor> expected_decoder_tensors(const DecoderConfig& config);

/// Throws kCorrupt naming `source` when the sizes contradict each other (heads, key heads, an odd head size, experts).
void check_decoder_config(const DecoderConfig& config, const std::string& source);

/// For the families' files: a setting that changes the arithmetic and is not computed.
[[noreturn]] void refuse_setting(const DecoderFolderConfig& file, std::string_view key, std::string_view value,
                                 std::string_view supported);
/// layer_types as flags: not 0 for "sliding_attention". Throws kUnsupported for other types, kCorrupt for another count.
std::vector<std::uint8_t> windowed_layers(const DecoderFolderConfig& file);

}  // namespace rag::core
