#include "model/decoder_family.hpp"

#include <array>

#include "core/error.hpp"
#include "model/rotary.hpp"

namespace rag::core {
namespace {

/// Of all layers. Lists of names grow with them, whatever the file holds.
constexpr std::int64_t kMaxExperts = 65536;

/// "{}" in `pattern` replaced by `number`.
std::string numbered(std::string_view pattern, std::int64_t number) {
    const auto place = pattern.find("{}");
    return fmt::format("{}{}{}", pattern.substr(0, place), number, pattern.substr(place + 2));
}

/// Collects the expected tensors of one model.
class TensorList {
  public:
    explicit TensorList(const DecoderConfig& config) : config_(config) {}

    void add(const std::string& name, std::vector<std::int64_t> shape) {
        tensors.push_back({name, name, std::move(shape), false});
    }
    void linear(const std::string& module, std::int64_t rows, std::int64_t columns, bool bias) {
        tensors.push_back({module + ".weight", module + ".weight", {rows, columns}, true});
        if (bias) add(module + ".bias", {rows});
    }

    void layer(std::int64_t index, const LayerTensors& parts) {
        const std::string prefix = fmt::format("model.layers.{}.", index);
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t query = config_.heads * config_.head_dim;
        const std::int64_t key = config_.kv_heads * config_.head_dim;
        add(prefix + "input_layernorm.weight", {hidden});
        linear(prefix + "self_attn.q_proj", query, hidden, parts.qkv_bias);
        linear(prefix + "self_attn.k_proj", key, hidden, parts.qkv_bias);
        linear(prefix + "self_attn.v_proj", key, hidden, parts.qkv_bias);
        linear(prefix + "self_attn.o_proj", hidden, query, parts.output_bias);
        if (parts.head_norms) {
            add(prefix + "self_attn.q_norm.weight", {config_.head_dim});
            add(prefix + "self_attn.k_norm.weight", {config_.head_dim});
        }
        add(prefix + "post_attention_layernorm.weight", {hidden});
        if (parts.gemma_norms) {
            add(prefix + "pre_feedforward_layernorm.weight", {hidden});
            add(prefix + "post_feedforward_layernorm.weight", {hidden});
        }
        const auto at = static_cast<std::size_t>(index);
        if (config_.experts > 0 && (config_.sparse.empty() || config_.sparse[at] != 0)) return experts(prefix, parts);
        linear(prefix + "mlp.gate_proj", config_.intermediate_size, hidden, parts.mlp_bias);
        linear(prefix + "mlp.up_proj", config_.intermediate_size, hidden, parts.mlp_bias);
        linear(prefix + "mlp.down_proj", hidden, config_.intermediate_size, parts.mlp_bias);
    }

    std::vector<ExpectedTensor> tensors;

  private:
    void experts(const std::string& prefix, const LayerTensors& parts) {
        linear(prefix + std::string(parts.router), config_.experts, config_.hidden_size, false);
        for (std::int64_t expert = 0; expert < config_.experts; ++expert) {
            linear(prefix + numbered(parts.expert_gate, expert), config_.expert_size, config_.hidden_size, false);
            linear(prefix + numbered(parts.expert_up, expert), config_.expert_size, config_.hidden_size, false);
            linear(prefix + numbered(parts.expert_down, expert), config_.hidden_size, config_.expert_size, false);
        }
    }

    const DecoderConfig& config_;
};

std::array<std::span<const DecoderFamily>, 3> all_families() {
    return {gemma_family(), llama_family(), qwen_family()};
}

}  // namespace

const DecoderFamily* find_decoder_family(std::string_view model_type) {
    for (const auto& family : all_families()) {
        for (const DecoderFamily& member : family) {
            if (member.model_type == model_type) return &member;
        }
    }
    return nullptr;
}

std::string decoder_family_names() {
    std::string names;
    for (const auto& family : all_families()) {
        for (const DecoderFamily& member : family) names += (names.empty() ? "" : ", ") + std::string(member.model_type);
    }
    return names;
}

void refuse_setting(const DecoderFolderConfig& file, std::string_view key, std::string_view value, std::string_view supported) {
    fail(Code::kUnsupported, "{}: {} is {}; {} is supported", quote(file.file, 400), key, quote(value), supported);
}

std::vector<std::uint8_t> windowed_layers(const DecoderFolderConfig& file) {
    if (static_cast<std::int64_t>(file.layer_types.size()) != file.layers)
        fail(Code::kCorrupt, "{}: layer_types has {} entries, there are {} layers", quote(file.file, 400),
             file.layer_types.size(), file.layers);
    std::vector<std::uint8_t> windowed;
    for (const std::string& type : file.layer_types) {
        if (type != "full_attention" && type != "sliding_attention")
            refuse_setting(file, "an entry of layer_types", type, "full_attention or sliding_attention");
        windowed.push_back(type == "sliding_attention" ? 1 : 0);
    }
    return windowed;
}

DecoderConfig decoder_config_of(const DecoderFolderConfig& file) {
    const DecoderFamily* family = find_decoder_family(file.model_type);
    if (family == nullptr)
        fail(Code::kUnsupported, "{}: model_type {}; decoders of type {} are supported", quote(file.file, 400),
             quote(file.model_type), decoder_family_names());
    if (file.quantized) refuse_setting(file, "quantization_config", "given", "a model in float32, bfloat16 or float16");
    if (file.bidirectional) refuse_setting(file, "use_bidirectional_attention", "true", "false");
    DecoderConfig config;
    config.architecture = file.model_type;
    config.vocab_size = file.vocab_size;
    config.hidden_size = file.hidden_size;
    config.layers = file.layers;
    config.heads = file.heads;
    config.kv_heads = file.kv_heads.value_or(file.heads);
    config.head_dim = file.head_dim.value_or(file.hidden_size / file.heads);
    config.intermediate_size = file.intermediate_size;
    const std::int64_t positions = file.max_positions.value_or(family->default_positions);
    config.context_length = scaled_context(file.rope, positions);
    config.rms_norm_eps = static_cast<float>(file.rms_norm_eps.value_or(1e-6));
    config.tied_embeddings = file.tie_word_embeddings.value_or(family->tied_by_default);
    check_decoder_config(config, file.file);
    config.rotary = make_rotary(file.rope, {config.head_dim, positions, family->default_theta}, file.file);
    family->complete(file, config);
    check_decoder_config(config, file.file);
    return config;
}

std::vector<ExpectedTensor> expected_decoder_tensors(const DecoderConfig& config) {
    const DecoderFamily* family = find_decoder_family(config.architecture);
    if (family == nullptr) fail(Code::kInternal, "no decoder family {}", quote(config.architecture));
    TensorList list(config);
    list.add("model.embed_tokens.weight", {config.vocab_size, config.hidden_size});
    for (std::int64_t i = 0; i < config.layers; ++i) list.layer(i, family->tensors(config));
    list.add("model.norm.weight", {config.hidden_size});
    if (!config.tied_embeddings) list.linear("lm_head", config.vocab_size, config.hidden_size, false);
    return std::move(list.tensors);
}

void check_decoder_config(const DecoderConfig& config, const std::string& source) {
    if (config.heads % config.kv_heads != 0)
        fail(Code::kCorrupt, "{}: {} query heads are no multiple of {} key heads", quote(source, 400), config.heads,
             config.kv_heads);
    if (config.head_dim < 2 || config.head_dim % 2 != 0)
        fail(Code::kCorrupt, "{}: heads of {} dimensions; an even number is needed to rotate pairs", quote(source, 400),
             config.head_dim);
    if (config.experts_per_token > config.experts)
        fail(Code::kCorrupt, "{}: {} experts a token of {}", quote(source, 400), config.experts_per_token, config.experts);
    if (config.experts > kMaxExperts / config.layers)
        fail(Code::kUnsupported, "{}: {} layers of {} experts; {} experts in all are supported", quote(source, 400),
             config.layers, config.experts, kMaxExperts);
}

}  // namespace rag::core
