// Gemma 2 and the language model of Gemma 3: what their config.json says beyond sizes. Without layer_types, every second layer of
// Gemma 2 and all but every sixth of Gemma 3 have the window. Gemma 3's windowed layers have rotary positions of their own; a
// scaling counts for the others alone.
#include <cmath>

#include "core/error.hpp"
#include "model/decoder_family.hpp"
#include "model/rotary.hpp"

namespace rag::core {
namespace {

void complete_gemma(const DecoderFolderConfig& file, DecoderConfig& config, std::int64_t pattern) {
    if (!file.activation.empty() && file.activation != "gelu_pytorch_tanh")
        refuse_setting(file, "hidden_activation", file.activation, "gelu_pytorch_tanh");
    if (!file.head_dim) fail(Code::kCorrupt, "{}: head_dim is missing", quote(file.file, 400));
    config.attention_bias = file.attention_bias;
    config.unit_offset_norms = true;
    config.query_scale = static_cast<float>(1.0 / std::sqrt(file.query_scalar.value_or(256.0)));
    config.window = file.window.value_or(4096);
    if (!file.layer_types.empty()) {
        config.windowed = windowed_layers(file);
        return;
    }
    for (std::int64_t i = 0; i < config.layers; ++i) config.windowed.push_back((i + 1) % pattern != 0 ? 1 : 0);
}

void complete_gemma2(const DecoderFolderConfig& file, DecoderConfig& config) {
    complete_gemma(file, config, 2);
    config.attention_softcap = static_cast<float>(file.attention_softcap.value_or(50.0));
    config.logit_softcap = static_cast<float>(file.logit_softcap.value_or(30.0));
}

void complete_gemma3(const DecoderFolderConfig& file, DecoderConfig& config) {
    complete_gemma(file, config, file.window_pattern.value_or(6));
    config.logit_softcap = static_cast<float>(file.logit_softcap.value_or(0.0));
    if (file.attention_softcap.value_or(0.0) > 0.0) refuse_setting(file, "attn_logit_softcapping", "a number", "null");
    RopeFields local = file.local_rope.value_or(RopeFields());
    if (!local.theta) local.theta = file.local_theta;
    config.local_rotary = make_rotary(local, {config.head_dim, config.context_length, 10000.0}, file.file);
}

LayerTensors gemma2_tensors(const DecoderConfig& config) {
    LayerTensors tensors;
    tensors.qkv_bias = tensors.output_bias = config.attention_bias;
    tensors.gemma_norms = true;
    return tensors;
}

LayerTensors gemma3_tensors(const DecoderConfig& config) {
    LayerTensors tensors = gemma2_tensors(config);
    tensors.head_norms = true;
    return tensors;
}

constexpr DecoderFamily kMembers[] = {
    {"gemma2", 10000.0, 8192, true, complete_gemma2, gemma2_tensors},
    {"gemma3_text", 1000000.0, 131072, true, complete_gemma3, gemma3_tensors},
};

}  // namespace

std::span<const DecoderFamily> gemma_family() {
    return kMembers;
}

}  // namespace rag::core
