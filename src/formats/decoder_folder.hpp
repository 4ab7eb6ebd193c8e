// config.json of a decoder's folder as a plain struct, whichever family it is of: sizes, rotary positions in both spellings
// (rope_scaling of transformers 4, rope_parameters of 5, by layer type too), windows, caps, experts. Values are checked for type
// and range (dimensions up to 2^24, layers up to 4096, numbers finite) and nothing else; what a family does with them, and what
// it refuses, is for model/ to say. Stateless, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace rag::core {

/// Rotary positions of one kind of layers. A number that the file does not give is not there.
struct RopeFields {
    std::string type = "default";  // or "linear", "dynamic", "llama3", "yarn", ...
    std::optional<double> theta, factor, low_freq_factor, high_freq_factor, beta_fast, beta_slow, attention_factor;
    std::optional<double> mscale, mscale_all_dim;
    std::optional<double> partial_rotary_factor;
    std::optional<std::int64_t> original_context;
    bool truncate = true;
};

struct DecoderFolderConfig {
    std::string file;  // for messages
    std::string model_type;
    std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, intermediate_size = 0;
    std::optional<std::int64_t> kv_heads, head_dim, max_positions;
    std::optional<double> rms_norm_eps;
    RopeFields rope;
    std::optional<RopeFields> local_rope;  // of "sliding_attention", where the file has parameters for each type of layers
    std::optional<double> local_theta;     // rope_local_base_freq
    std::string activation;                // hidden_activation or hidden_act; empty: not given
    std::optional<bool> tie_word_embeddings;
    bool attention_bias = false, mlp_bias = false, bidirectional = false;
    bool quantized = false;  // there is a quantization_config of another method than librag
    std::optional<std::int64_t> window, max_window_layers, window_pattern;
    bool use_window = false;               // use_sliding_window
    std::vector<std::string> layer_types;  // "full_attention", "sliding_attention", ...
    std::optional<double> query_scalar;
    std::optional<double> attention_softcap, logit_softcap;  // 0: null, which is not the same as absent
    std::optional<std::int64_t> experts, experts_per_token, expert_size, sparse_step;
    bool normalize_experts = false;  // norm_topk_prob
    std::vector<std::int64_t> dense_layers;
};

/// Throws kNotFound (no such file) and kCorrupt naming file, key and value.
DecoderFolderConfig read_decoder_folder(const std::filesystem::path& folder);

}  // namespace rag::core
