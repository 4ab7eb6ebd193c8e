// Qwen2 (and 2.5), Qwen3 and its mixtures of experts: what their config.json says beyond sizes. sliding_window counts only with
// use_sliding_window; Qwen2 and Qwen3 then have it in the layers from max_window_layers on, the mixtures in all.
#include "core/error.hpp"
#include "model/decoder_family.hpp"

namespace rag::core {
namespace {

void require_silu(const DecoderFolderConfig& file) {
    if (!file.activation.empty() && file.activation != "silu") refuse_setting(file, "hidden_act", file.activation, "silu");
}

void complete_window(const DecoderFolderConfig& file, DecoderConfig& config) {
    const bool on = file.use_window && file.window;
    if (!file.layer_types.empty()) {
        config.windowed = windowed_layers(file);
    } else if (on) {
        for (std::int64_t i = 0; i < config.layers; ++i)
            config.windowed.push_back(i >= file.max_window_layers.value_or(28) ? 1 : 0);
    }
    bool any = false;
    for (const std::uint8_t windowed : config.windowed) any = any || windowed != 0;
    if (any && !on)
        fail(Code::kCorrupt, "{}: layer_types has sliding_attention, but use_sliding_window and sliding_window say no window",
             quote(file.file, 400));
    if (any) config.window = *file.window;
    if (!any) config.windowed.clear();
}

void complete_qwen2(const DecoderFolderConfig& file, DecoderConfig& config) {
    require_silu(file);
    complete_window(file, config);
}

void complete_qwen3(const DecoderFolderConfig& file, DecoderConfig& config) {
    require_silu(file);
    config.attention_bias = file.attention_bias;
    if (!file.head_dim) {
        fail(Code::kCorrupt, "{}: head_dim is missing", quote(file.file, 400));
    }
    complete_window(file, config);
}

void complete_qwen3_moe(const DecoderFolderConfig& file, DecoderConfig& config) {
    require_silu(file);
    config.attention_bias = file.attention_bias;
    if (file.use_window && file.window) {
        config.window = *file.window;
        config.windowed.assign(static_cast<std::size_t>(config.layers), 1);
    }
    config.experts = file.experts.value_or(128);
    config.experts_per_token = file.experts_per_token.value_or(8);
    config.expert_size = file.expert_size.value_or(768);
    config.normalize_experts = file.normalize_experts;
    const std::int64_t step = file.sparse_step.value_or(1);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        bool sparse = step > 0 && (i + 1) % step == 0;
        for (const std::int64_t dense : file.dense_layers) sparse = sparse && dense != i;
        config.sparse.push_back(sparse ? 1 : 0);
    }
}

LayerTensors qwen2_tensors(const DecoderConfig&) {
    LayerTensors tensors;
    tensors.qkv_bias = true;
    return tensors;
}

LayerTensors qwen3_tensors(const DecoderConfig& config) {
    LayerTensors tensors;
    tensors.qkv_bias = tensors.output_bias = config.attention_bias;
    tensors.head_norms = true;
    return tensors;
}

constexpr DecoderFamily kMembers[] = {
    {"qwen2", 10000.0, 32768, false, complete_qwen2, qwen2_tensors},
    {"qwen3", 10000.0, 32768, false, complete_qwen3, qwen3_tensors},
    {"qwen3_moe", 10000.0, 32768, false, complete_qwen3_moe, qwen3_tensors},
};

}  // namespace

std::span<const DecoderFamily> qwen_family() {
    return kMembers;
}

}  // namespace rag::core
