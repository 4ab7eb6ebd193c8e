#include "formats/decoder_folder.hpp"

#include <cmath>

#include "core/error.hpp"
#include "formats/json_text.hpp"

namespace rag::core {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxConfigBytes = 4u << 20;
constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24;
constexpr std::int64_t kMaxLayers = 4096;

/// A number above 0, if there is one.
std::optional<double> positive(const JsonFields& fields, const char* key) {
    const auto value = fields.number(key);
    if (value && !(std::isfinite(*value) && *value > 0.0)) fields.wrong(key, "a number above 0", json(*value));
    return value;
}

/// The same of a setting that null turns off: 0 then.
std::optional<double> positive_or_null(const JsonFields& fields, const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_null() ? std::optional(0.0) : positive(fields, key);
}

std::optional<std::int64_t> dimension(const JsonFields& fields, const char* key) {
    return fields.integer(key, 1, kMaxDimension);
}

RopeFields read_rope(const JsonFields& fields) {
    RopeFields rope;
    rope.type = fields.text("rope_type").value_or(fields.text("type").value_or("default"));
    rope.theta = positive(fields, "rope_theta");
    rope.factor = positive(fields, "factor");
    rope.low_freq_factor = positive(fields, "low_freq_factor");
    rope.high_freq_factor = positive(fields, "high_freq_factor");
    rope.beta_fast = positive(fields, "beta_fast");
    rope.beta_slow = positive(fields, "beta_slow");
    rope.attention_factor = positive(fields, "attention_factor");
    rope.mscale = fields.number("mscale");
    rope.mscale_all_dim = fields.number("mscale_all_dim");
    rope.partial_rotary_factor = positive(fields, "partial_rotary_factor");
    rope.original_context = dimension(fields, "original_max_position_embeddings");
    rope.truncate = fields.boolean("truncate").value_or(true);
    return rope;
}

/// The object under `key`, unless it is absent, null or empty.
const json* find_object(const JsonFields& fields, const char* key) {
    const json* found = fields.find(key);
    if (found == nullptr) return nullptr;
    if (!found->is_object()) fields.wrong(key, "an object", *found);
    return found->empty() ? nullptr : found;
}

/// Both spellings. What stands beside the parameters (rope_theta, partial_rotary_factor) counts where they say nothing.
void read_ropes(const JsonFields& fields, DecoderFolderConfig& out) {
    const char* key = "rope_scaling";
    const json* parameters = find_object(fields, key);
    if (parameters == nullptr) parameters = find_object(fields, key = "rope_parameters");
    if (parameters != nullptr) {
        const JsonFields inner(*parameters, fields.file() + ": " + key);
        const json* full = find_object(inner, "full_attention");
        const json* local = find_object(inner, "sliding_attention");
        if (full == nullptr && local == nullptr) {
            out.rope = read_rope(inner);
        } else {
            if (full != nullptr) out.rope = read_rope(JsonFields(*full, inner.file() + ": full_attention"));
            if (local != nullptr) out.local_rope = read_rope(JsonFields(*local, inner.file() + ": sliding_attention"));
        }
    }
    if (!out.rope.theta) out.rope.theta = positive(fields, "rope_theta");
    out.local_theta = positive(fields, "rope_local_base_freq");
    const auto original = dimension(fields, "original_max_position_embeddings");
    if (original) out.rope.original_context = original;
    const auto part = positive(fields, "partial_rotary_factor");
    if (!out.rope.partial_rotary_factor) out.rope.partial_rotary_factor = part;
}

void read_lists(const JsonFields& fields, DecoderFolderConfig& out) {
    if (const json* types = fields.find("layer_types"); types != nullptr) {
        if (!types->is_array()) fields.wrong("layer_types", "a list of names", *types);
        for (const json& type : *types) {
            if (!type.is_string()) fields.wrong("layer_types", "a list of names", type);
            out.layer_types.push_back(type.get<std::string>());
        }
    }
    if (const json* layers = fields.find("mlp_only_layers"); layers != nullptr) {
        if (!layers->is_array() || layers->size() > static_cast<std::size_t>(kMaxLayers))
            fields.wrong("mlp_only_layers", "a list of layers", *layers);
        for (const json& layer : *layers) {
            if (!layer.is_number_unsigned() || layer.get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxLayers))
                fields.wrong("mlp_only_layers", "numbers of layers", layer);
            out.dense_layers.push_back(layer.get<std::int64_t>());
        }
    }
}

void read_experts(const JsonFields& fields, DecoderFolderConfig& out) {
    out.experts = dimension(fields, "num_local_experts");
    if (!out.experts) out.experts = dimension(fields, "num_experts");
    out.experts_per_token = dimension(fields, "num_experts_per_tok");
    out.expert_size = dimension(fields, "moe_intermediate_size");
    out.sparse_step = fields.integer("decoder_sparse_step", 0, kMaxDimension);
    out.normalize_experts = fields.boolean("norm_topk_prob").value_or(false);
}

}  // namespace

DecoderFolderConfig read_decoder_folder(const std::filesystem::path& folder) {
    const std::string file = (folder / "config.json").string();
    const json object = read_json_object(file, kMaxConfigBytes);
    const JsonFields fields(object, file);
    DecoderFolderConfig out;
    out.file = file;
    out.model_type = fields.required_text("model_type");
    out.vocab_size = fields.required_integer("vocab_size", 1, kMaxDimension);
    out.hidden_size = fields.required_integer("hidden_size", 1, kMaxDimension);
    out.layers = fields.required_integer("num_hidden_layers", 1, kMaxLayers);
    out.heads = fields.required_integer("num_attention_heads", 1, kMaxDimension);
    out.intermediate_size = fields.required_integer("intermediate_size", 1, kMaxDimension);
    out.kv_heads = dimension(fields, "num_key_value_heads");
    out.head_dim = dimension(fields, "head_dim");
    out.max_positions = dimension(fields, "max_position_embeddings");
    out.rms_norm_eps = positive(fields, "rms_norm_eps");
    out.activation = fields.text("hidden_activation").value_or(fields.text("hidden_act").value_or(""));
    out.tie_word_embeddings = fields.boolean("tie_word_embeddings");
    out.attention_bias = fields.boolean("attention_bias").value_or(false);
    out.mlp_bias = fields.boolean("mlp_bias").value_or(false);
    out.bidirectional = fields.boolean("use_bidirectional_attention").value_or(false);
    if (const json* packing = find_object(fields, "quantization_config"); packing != nullptr)
        out.quantized =
            JsonFields(*packing, fields.file() + ": quantization_config").text("quant_method").value_or("") != "librag";
    out.window = dimension(fields, "sliding_window");
    out.use_window = fields.boolean("use_sliding_window").value_or(false);
    out.max_window_layers = fields.integer("max_window_layers", 0, kMaxDimension);
    out.window_pattern = dimension(fields, "sliding_window_pattern");
    if (!out.window_pattern) out.window_pattern = dimension(fields, "_sliding_window_pattern");
    out.query_scalar = positive(fields, "query_pre_attn_scalar");
    out.attention_softcap = positive_or_null(fields, object, "attn_logit_softcapping");
    out.logit_softcap = positive_or_null(fields, object, "final_logit_softcapping");
    read_ropes(fields, out);
    read_lists(fields, out);
    read_experts(fields, out);
    return out;
}

}  // namespace rag::core
