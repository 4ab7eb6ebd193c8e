// Llama 2 and 3 (SmolLM2 too), Mistral and Mixtral: what their config.json says beyond sizes. Mistral's window is in every layer;
// Mixtral's experts have names of their own.
#include "model/decoder_family.hpp"

namespace rag::core {
namespace {

void require_silu(const DecoderFolderConfig& file) {
    if (!file.activation.empty() && file.activation != "silu") refuse_setting(file, "hidden_act", file.activation, "silu");
}

void window_everywhere(const DecoderFolderConfig& file, DecoderConfig& config) {
    if (!file.window) return;
    config.window = *file.window;
    config.windowed.assign(static_cast<std::size_t>(config.layers), 1);
}

void complete_llama(const DecoderFolderConfig& file, DecoderConfig& config) {
    require_silu(file);
    config.attention_bias = file.attention_bias;
    config.mlp_bias = file.mlp_bias;
}

void complete_mistral(const DecoderFolderConfig& file, DecoderConfig& config) {
    require_silu(file);
    if (!file.layer_types.empty()) refuse_setting(file, "layer_types", "given", "one kind of layers");
    window_everywhere(file, config);
}

void complete_mixtral(const DecoderFolderConfig& file, DecoderConfig& config) {
    complete_mistral(file, config);
    config.experts = file.experts.value_or(8);
    config.experts_per_token = file.experts_per_token.value_or(2);
    config.expert_size = config.intermediate_size;
    config.normalize_experts = true;
}

LayerTensors llama_tensors(const DecoderConfig& config) {
    LayerTensors tensors;
    tensors.qkv_bias = tensors.output_bias = config.attention_bias;
    tensors.mlp_bias = config.mlp_bias;
    return tensors;
}

LayerTensors mixtral_tensors(const DecoderConfig&) {
    LayerTensors tensors;
    tensors.router = "block_sparse_moe.gate";
    tensors.expert_gate = "block_sparse_moe.experts.{}.w1";
    tensors.expert_up = "block_sparse_moe.experts.{}.w3";
    tensors.expert_down = "block_sparse_moe.experts.{}.w2";
    return tensors;
}

constexpr DecoderFamily kMembers[] = {
    {"llama", 10000.0, 2048, false, complete_llama, llama_tensors},
    {"mistral", 10000.0, 131072, false, complete_mistral, llama_tensors},
    {"mixtral", 1000000.0, 131072, false, complete_mixtral, mixtral_tensors},
};

}  // namespace

std::span<const DecoderFamily> llama_family() {
    return kMembers;
}

}  // namespace rag::core
