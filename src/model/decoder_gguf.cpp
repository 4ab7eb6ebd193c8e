// Decoders out of GGUF: the metadata keys of llama.cpp's converter, and its tensor names turned into Hugging Face's
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Mistral and Mixtral come as "llama". What the format leaves to
// llama.cpp's code (Gemma's scale of queries, pattern of windows and local base) is as there.
#include <array>
#include <cmath>
#include <cstring>
#include <string_view>
#include <unordered_map>

#include "core/error.hpp"
#include "model/decoder_family.hpp"
#include "model/decoder_files.hpp"
#include "model/gguf_metadata.hpp"
#include "model/rotary.hpp"

namespace rag::core {
namespace {

struct Architecture {
    std::string_view name;     // general.architecture
    std::string_view family;   // config.json's model_type
    std::string_view experts;  // the same where there are experts; empty: there must be none
    bool interleaved_qk;
};
constexpr std::array kArchitectures = {
    Architecture{"llama", "llama", "mixtral", true}, Architecture{"qwen2", "qwen2", "", false},
    Architecture{"qwen3", "qwen3", "", false},       Architecture{"qwen3moe", "", "qwen3_moe", false},
    Architecture{"gemma2", "gemma2", "", false},     Architecture{"gemma3", "gemma3_text", "", false},
};

const Architecture& find_architecture(const GgufFile& file) {
    const std::string name = quote(file.name(), 400);
    const auto found = file.text("general.architecture");
    if (!found) fail(Code::kCorrupt, "{}: general.architecture is missing", name);
    if (const std::int64_t parts = file.integer("split.count").value_or(0); parts > 1)
        fail(Code::kUnsupported, "{}: one of {} parts of a split model; join them with gguf-split", name, parts);
    std::string known;
    for (const Architecture& one : kArchitectures) {
        if (one.name == *found) return one;
        known += (known.empty() ? "" : ", ") + std::string(one.name);
    }
    fail(Code::kUnsupported, "{}: general.architecture {}; {} are supported", name, quote(*found), known);
}

/// Factors of the wave lengths that Llama 3's converter writes, one a pair.
void apply_rope_factors(const GgufFile& file, RotaryConfig& rotary) {
    for (const TensorInfo& tensor : file.tensors()) {
        if (tensor.name == "rope_factors_long.weight" || tensor.name == "rope_factors_short.weight")
            fail(Code::kUnsupported, "{}: tensor {} is not supported", quote(file.name(), 400), quote(tensor.name));
    }
    const TensorInfo* factors = file.find("rope_freqs.weight");
    if (factors == nullptr) return;
    if (factors->type != TensorType::kF32 || factors->bytes.size() != rotary.frequencies.size() * sizeof(float))
        fail(Code::kUnsupported, "{}: tensor \"rope_freqs.weight\" of {} {}; F32 [{}] is supported", quote(file.name(), 400),
             factors->type_name, describe_shape(factors->shape), rotary.frequencies.size());
    for (std::size_t i = 0; i < rotary.frequencies.size(); ++i) {
        float factor = 0.0F;
        std::memcpy(&factor, factors->bytes.data() + i * sizeof(float), sizeof(float));
        if (!std::isfinite(factor) || factor <= 0.0F)
            fail(Code::kCorrupt, "{}: \"rope_freqs.weight\" holds {} at {}", quote(file.name(), 400), factor, i);
        rotary.frequencies[i] /= factor;
    }
}

RopeFields read_rope(const GgufMetadata& metadata) {
    RopeFields rope;
    rope.type = metadata.text("rope.scaling.type").value_or("none");
    if (rope.type == "none") rope.type = "default";
    rope.theta = metadata.positive("rope.freq_base", 10000.0);
    if (rope.type != "default") rope.factor = metadata.positive("rope.scaling.factor", 1.0);
    if (metadata.has("rope.scaling.original_context_length"))
        rope.original_context = metadata.required("rope.scaling.original_context_length");
    // ggml multiplies the magnitude that YaRN gives by this one.
    if (rope.type == "yarn" && metadata.positive("rope.scaling.attn_factor", 1.0) != 1.0)
        metadata.refuse("rope.scaling.attn_factor", "1");
    return rope;
}

void read_experts(const GgufMetadata& metadata, const Architecture& architecture, DecoderConfig& config) {
    const std::int64_t experts = metadata.optional("expert_count", 0);
    if (experts == 0) {
        if (architecture.family.empty()) metadata.required("expert_count");
        return;
    }
    if (architecture.experts.empty()) metadata.refuse("expert_count", "none");
    config.architecture = architecture.experts;
    config.experts = experts;
    config.experts_per_token = metadata.required("expert_used_count");
    config.expert_size = metadata.optional("expert_feed_forward_length", config.intermediate_size);
    config.normalize_experts = metadata.flag("expert_weights_norm", true);
}

void read_gemma(const GgufMetadata& metadata, DecoderConfig& config) {
    const bool third = config.architecture == "gemma3_text";
    // The scale of the 27B models is known by their depth alone.
    const bool largest = config.layers == (third ? 62 : 46);
    const std::int64_t scalar = largest ? config.hidden_size / config.heads : config.head_dim;
    config.query_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(scalar)));
    if (!third) {
        config.attention_softcap = static_cast<float>(metadata.positive("attn_logit_softcapping", 50.0));
        config.logit_softcap = static_cast<float>(metadata.positive("final_logit_softcapping", 30.0));
    } else {
        RopeFields local;
        local.theta = metadata.positive("rope.freq_base_swa", 10000.0);
        config.local_rotary = make_rotary(local, {config.head_dim, config.context_length, 10000.0}, metadata.name());
    }
    config.window = metadata.required("attention.sliding_window");
    const std::int64_t pattern = metadata.optional("attention.sliding_window_pattern", third ? 6 : 2);
    for (std::int64_t i = 0; i < config.layers; ++i) config.windowed.push_back((i + 1) % pattern != 0 ? 1 : 0);
}

DecoderConfig read_config(const GgufFile& file, const Architecture& architecture) {
    const GgufMetadata metadata(file, architecture.name);
    const TensorInfo* embedding = file.find("token_embd.weight");
    if (embedding == nullptr || embedding->shape.size() != 2)
        fail(Code::kCorrupt, "{}: tensor \"token_embd.weight\" of two dimensions is missing", quote(file.name(), 400));
    DecoderConfig config;
    config.architecture = architecture.family;
    config.vocab_size = metadata.optional("vocab_size", embedding->shape[0]);
    config.hidden_size = metadata.required("embedding_length");
    config.layers = metadata.layers();
    config.heads = metadata.required("attention.head_count");
    config.kv_heads = metadata.optional("attention.head_count_kv", config.heads);
    config.intermediate_size = metadata.required("feed_forward_length");
    config.context_length = metadata.required("context_length");
    config.head_dim = metadata.optional("attention.key_length", config.hidden_size / config.heads);
    metadata.same("attention.value_length", config.head_dim);
    metadata.same("rope.dimension_count", config.head_dim);
    config.rms_norm_eps = static_cast<float>(metadata.positive("attention.layer_norm_rms_epsilon", 1e-5));
    config.tied_embeddings = file.find("output.weight") == nullptr;
    config.interleaved_qk = architecture.interleaved_qk;
    read_experts(metadata, architecture, config);
    check_decoder_config(config, file.name());
    const RopeFields rope = read_rope(metadata);
    config.rotary = make_rotary(rope, {config.head_dim, config.context_length, 10000.0}, file.name());
    apply_rope_factors(file, config.rotary);
    config.context_length = scaled_context(rope, config.context_length);
    if (config.architecture.starts_with("gemma")) {
        read_gemma(metadata, config);
    } else if (metadata.has("attention.sliding_window")) {
        config.window = metadata.required("attention.sliding_window");
        config.windowed.assign(static_cast<std::size_t>(config.layers), 1);
    }
    return config;
}

struct Names {
    std::string_view hugging_face, gguf;
};

constexpr std::array kOuterNames = {Names{"model.embed_tokens", "token_embd"}, Names{"model.norm", "output_norm"},
                                    Names{"lm_head", "output"}};
constexpr std::array kLayerNames = {Names{"input_layernorm", "attn_norm"},    Names{"self_attn.q_proj", "attn_q"},
                                    Names{"self_attn.k_proj", "attn_k"},      Names{"self_attn.v_proj", "attn_v"},
                                    Names{"self_attn.o_proj", "attn_output"}, Names{"self_attn.q_norm", "attn_q_norm"},
                                    Names{"self_attn.k_norm", "attn_k_norm"}, Names{"mlp.gate_proj", "ffn_gate"},
                                    Names{"mlp.up_proj", "ffn_up"},           Names{"mlp.down_proj", "ffn_down"},
                                    Names{"mlp.gate", "ffn_gate_inp"},        Names{"block_sparse_moe.gate", "ffn_gate_inp"}};
// post_attention_layernorm is another norm in Gemma.
constexpr std::array kPlainNorms = {Names{"post_attention_layernorm", "ffn_norm"}};
constexpr std::array kGemmaNorms = {Names{"post_attention_layernorm", "post_attention_norm"},
                                    Names{"pre_feedforward_layernorm", "ffn_norm"},
                                    Names{"post_feedforward_layernorm", "post_ffw_norm"}};
// Of an expert's matrices, which lie in one tensor of three dimensions.
constexpr std::array kExpertNames = {Names{"gate_proj", "ffn_gate_exps"}, Names{"up_proj", "ffn_up_exps"},
                                     Names{"down_proj", "ffn_down_exps"}, Names{"w1", "ffn_gate_exps"},
                                     Names{"w3", "ffn_up_exps"},          Names{"w2", "ffn_down_exps"}};

template <typename List>
std::string_view find_name(const List& names, std::string_view wanted) {
    for (const Names& one : names) {
        if (one.hugging_face == wanted) return one.gguf;
    }
    return {};
}

/// "model.layers.3.mlp.up_proj.weight" -> "blk.3.ffn_up.weight"; of an expert "blk.3.ffn_up_exps.weight#7".
std::string gguf_name(const std::string& name, bool gemma) {
    const auto last = name.rfind('.');
    const std::string_view stem = std::string_view(name).substr(0, last), suffix = std::string_view(name).substr(last);
    if (const auto outer = find_name(kOuterNames, stem); !outer.empty()) return std::string(outer) + std::string(suffix);
    constexpr std::string_view kLayers = "model.layers.";
    const auto dot = stem.find('.', kLayers.size());
    const std::string_view number = stem.substr(kLayers.size(), dot - kLayers.size());
    const std::string_view rest = stem.substr(dot + 1);
    constexpr std::string_view kExperts = ".experts.";
    if (const auto at = rest.find(kExperts); at != std::string_view::npos) {
        const std::string_view expert = rest.substr(at + kExperts.size());
        const auto end = expert.find('.');
        return fmt::format("blk.{}.{}.weight#{}", number, find_name(kExpertNames, expert.substr(end + 1)), expert.substr(0, end));
    }
    std::string_view inner = find_name(kLayerNames, rest);
    if (inner.empty()) inner = gemma ? find_name(kGemmaNorms, rest) : find_name(kPlainNorms, rest);
    if (inner.empty()) fail(Code::kInternal, "no GGUF name for tensor {}", quote(name));
    return fmt::format("blk.{}.{}{}", number, inner, suffix);
}

/// The file's tensors, and the experts' matrices cut out of those that hold them all.
class GgufTensors {
  public:
    GgufTensors(const GgufFile& file, std::int64_t experts) : file_(file) {
        for (const TensorInfo& tensor : file.tensors()) {
            if (tensor.name.ends_with("_exps.weight")) split(tensor, experts);
        }
    }

    const TensorInfo* find(std::string_view name) const {
        const auto expert = experts_.find(std::string(name));
        return expert != experts_.end() ? &expert->second : file_.find(name);
    }

  private:
    void split(const TensorInfo& tensor, std::int64_t experts) {
        if (experts < 1 || tensor.shape.size() != 3 || tensor.shape[0] != experts)
            fail(Code::kCorrupt, "{}: tensor {} has shape {}, the configuration asks for {} experts", quote(file_.name(), 400),
                 quote(tensor.name), describe_shape(tensor.shape), experts);
        if (experts_.size() > kMaxExpertTensors)
            fail(Code::kCorrupt, "{}: more than {} matrices of experts", quote(file_.name(), 400), kMaxExpertTensors);
        const std::size_t size = tensor.bytes.size() / static_cast<std::size_t>(experts);
        for (std::int64_t i = 0; i < experts; ++i) {
            TensorInfo one = tensor;
            one.shape.erase(one.shape.begin());
            one.bytes = tensor.bytes.subspan(static_cast<std::size_t>(i) * size, size);
            experts_.emplace(fmt::format("{}#{}", tensor.name, i), std::move(one));
        }
    }

    static constexpr std::size_t kMaxExpertTensors = std::size_t{3} * 65536;

    const GgufFile& file_;
    std::unordered_map<std::string, TensorInfo> experts_;
};

/// Tensors that change the arithmetic must not be passed over in silence.
void refuse_unknown(const GgufFile& file, const std::vector<ExpectedTensor>& expected, bool biases_only) {
    std::unordered_map<std::string_view, bool> known{{"rope_freqs.weight", true}};
    for (const ExpectedTensor& tensor : expected)
        known[std::string_view(tensor.file_name).substr(0, tensor.file_name.find('#'))] = true;
    for (const TensorInfo& tensor : file.tensors()) {
        if (!known.contains(tensor.name) && (!biases_only || tensor.name.ends_with(".bias")))
            fail(Code::kUnsupported, "{}: tensor {} is not supported", quote(file.name(), 400), quote(tensor.name));
    }
}

}  // namespace

std::string gguf_architecture(const DecoderConfig& config) {
    for (const Architecture& one : kArchitectures) {
        if (one.family == config.architecture || one.experts == config.architecture) return std::string(one.name);
    }
    return config.architecture == "mistral" ? "llama" : config.architecture;
}

std::string gguf_tensor_name(const std::string& hugging_face, const DecoderConfig& config) {
    return gguf_name(hugging_face, config.architecture.starts_with("gemma"));
}

DecoderFiles read_decoder_gguf(const std::shared_ptr<const GgufFile>& file) {
    const Architecture& architecture = find_architecture(*file);
    DecoderFiles files;
    files.config = read_config(*file, architecture);
    auto expected = expected_decoder_tensors(files.config);
    const bool gemma = files.config.architecture.starts_with("gemma");
    for (ExpectedTensor& tensor : expected) tensor.file_name = gguf_name(tensor.name, gemma);
    refuse_unknown(*file, expected, true);
    const GgufTensors tensors(*file, files.config.experts);
    files.weights = gather_weights(expected, [&](std::string_view name) { return tensors.find(name); }, file, file->name());
    refuse_unknown(*file, expected, false);
    files.layers = linear_shapes(expected);
    if (file->has("tokenizer.ggml.model")) files.tokenizer = file->name();
    return files;
}

}  // namespace rag::core
