#include "model/gguf_description.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "model/decoder_files.hpp"
#include "model/gguf_metadata.hpp"
#include "model/rotary.hpp"

namespace rag::core {
namespace {

using Json = nlohmann::ordered_json;

void write_text(const std::filesystem::path& path, const std::string& text) {
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

bool nearly_equal(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (std::abs(a[i] - b[i]) > 1e-5F * std::abs(b[i])) return false;
    }
    return true;
}

/// GGUF has Llama 3's scaling as one factor a pair; config.json wants the numbers they came from. They are those of a published
/// model when they give the same frequencies.
Json llama3_scaling(const GgufFile& file, const DecoderConfig& config, double theta) {
    for (const double factor : {8.0, 32.0}) {
        RopeFields rope;
        rope.type = "llama3";
        rope.theta = theta;
        rope.factor = factor;
        rope.low_freq_factor = 1.0;
        rope.high_freq_factor = 4.0;
        rope.original_context = 8192;
        const RotaryConfig made = make_rotary(rope, {config.head_dim, config.context_length, theta}, file.name());
        if (!nearly_equal(made.frequencies, config.rotary.frequencies)) continue;
        return {{"rope_type", "llama3"},
                {"factor", factor},
                {"low_freq_factor", 1.0},
                {"high_freq_factor", 4.0},
                {"original_max_position_embeddings", 8192}};
    }
    fail(Code::kUnsupported, "{}: the factors in \"rope_freqs.weight\" are not those of a published Llama 3",
         quote(file.name(), 400));
}

void add_rope(const GgufFile& file, const GgufMetadata& metadata, const DecoderConfig& config, Json& object) {
    const double theta = metadata.positive("rope.freq_base", 10000.0);
    object["rope_theta"] = theta;
    object["max_position_embeddings"] = metadata.required("context_length");
    const std::string type = metadata.text("rope.scaling.type").value_or("none");
    if (file.find("rope_freqs.weight") != nullptr) {
        object["rope_scaling"] = llama3_scaling(file, config, theta);
    } else if (type != "none") {
        object["rope_scaling"] = {{"rope_type", type}, {"factor", metadata.positive("rope.scaling.factor", 1.0)}};
        if (metadata.has("rope.scaling.original_context_length"))
            object["rope_scaling"]["original_max_position_embeddings"] =
                metadata.required("rope.scaling.original_context_length");
    }
    if (config.architecture == "gemma3_text") object["rope_local_base_freq"] = metadata.positive("rope.freq_base_swa", 10000.0);
}

void add_experts(const DecoderConfig& config, Json& object) {
    object["num_experts_per_tok"] = config.experts_per_token;
    if (config.architecture == "mixtral") {
        object["num_local_experts"] = config.experts;
        object["intermediate_size"] = config.expert_size;
        return;
    }
    object["num_experts"] = config.experts;
    object["moe_intermediate_size"] = config.expert_size;
    object["norm_topk_prob"] = config.normalize_experts;
    object["decoder_sparse_step"] = 1;
    object["mlp_only_layers"] = Json::array();
}

void add_gemma(const DecoderConfig& config, Json& object) {
    const auto scale = static_cast<double>(config.query_scale);
    object["query_pre_attn_scalar"] = std::llround(1.0 / (scale * scale));
    object["hidden_activation"] = "gelu_pytorch_tanh";
    object["sliding_window"] = config.window;
    object["layer_types"] = Json::array();
    for (const std::uint8_t windowed : config.windowed)
        object["layer_types"].push_back(windowed != 0 ? "sliding_attention" : "full_attention");
    const auto cap = [](float value) { return value > 0.0F ? Json(static_cast<double>(value)) : Json(nullptr); };
    object["attn_logit_softcapping"] = cap(config.attention_softcap);
    object["final_logit_softcapping"] = cap(config.logit_softcap);
}

/// What config.json calls a model of this configuration: GGUF's "llama" is Mistral too, which has a window.
std::pair<std::string, std::string> names_of(const DecoderConfig& config) {
    if (config.architecture == "llama" && config.window > 0) return {"mistral", "MistralForCausalLM"};
    static constexpr std::pair<std::string_view, std::string_view> kClasses[] = {
        {"llama", "LlamaForCausalLM"},       {"mixtral", "MixtralForCausalLM"},    {"qwen2", "Qwen2ForCausalLM"},
        {"qwen3", "Qwen3ForCausalLM"},       {"qwen3_moe", "Qwen3MoeForCausalLM"}, {"gemma2", "Gemma2ForCausalLM"},
        {"gemma3_text", "Gemma3ForCausalLM"}};
    for (const auto& [type, name] : kClasses) {
        if (type == config.architecture) return {std::string(type), std::string(name)};
    }
    fail(Code::kUnsupported, "a GGUF file of architecture {} cannot be saved as a folder", quote(config.architecture));
}

}  // namespace

std::string gguf_config_json(const GgufFile& file, const DecoderConfig& config) {
    const GgufMetadata metadata(file, gguf_architecture(config));
    const auto [type, name] = names_of(config);
    Json object = {{"architectures", {name}},
                   {"model_type", type},
                   {"vocab_size", config.vocab_size},
                   {"hidden_size", config.hidden_size},
                   {"num_hidden_layers", config.layers},
                   {"num_attention_heads", config.heads},
                   {"num_key_value_heads", config.kv_heads},
                   {"head_dim", config.head_dim},
                   {"intermediate_size", config.intermediate_size},
                   {"rms_norm_eps", metadata.positive("attention.layer_norm_rms_epsilon", 1e-5)},
                   {"tie_word_embeddings", config.tied_embeddings}};
    add_rope(file, metadata, config, object);
    const bool gemma = type.starts_with("gemma");
    if (!gemma) object["hidden_act"] = "silu";
    if (gemma) add_gemma(config, object);
    if (config.experts > 0) add_experts(config, object);
    if (!gemma && config.window > 0) object["sliding_window"] = config.window;
    if (type.starts_with("qwen")) object["use_sliding_window"] = config.window > 0;
    if (type == "qwen2" && config.window > 0) object["max_window_layers"] = 0;
    if (type == "llama" || type == "qwen3" || type == "qwen3_moe") object["attention_bias"] = false;
    for (const char* token : {"bos_token_id", "eos_token_id"}) {
        const auto id = file.integer(std::string("tokenizer.ggml.") + token);
        object[token] = id ? Json(*id) : Json(nullptr);
    }
    return object.dump();
}

void describe_gguf_model(const std::filesystem::path& gguf, const DecoderConfig& config, const Tokenizer* tokenizer,
                         const std::filesystem::path& folder, const SavedWeights& saved) {
    const auto file = GgufFile::open(gguf);
    write_text(folder / "config.json", edit_config(gguf_config_json(*file, config), file->name(), saved));
    if (tokenizer == nullptr) return;
    tokenizer->save(folder / "tokenizer.json");
    write_text(folder / "tokenizer_config.json", tokenizer->configuration_json());
}

}  // namespace rag::core
