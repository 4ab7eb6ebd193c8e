// config.json of decoders: both spellings of rotary positions, settings of every family, refusals by key and value.
#include "formats/decoder_folder.hpp"
#include "require_error.hpp"
#include "test_files.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

const std::string kLlama =
    R"({"model_type":"llama","vocab_size":100,"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":4,
    "intermediate_size":64)";

DecoderFolderConfig read(const TemporaryFolder& folder, const std::string& more) {
    write_file(folder / "config.json", kLlama + more + "}");
    return read_decoder_folder(folder.path());
}

}  // namespace

TEST_CASE("what a decoder's config.json does not say is not there", "[formats]") {
    TemporaryFolder folder;
    require_error(Code::kNotFound, {"config.json"}, [&] { read_decoder_folder(folder.path()); });
    const auto bare = read(folder, "");
    CHECK(bare.model_type == "llama");
    CHECK_FALSE(bare.kv_heads);
    CHECK_FALSE(bare.head_dim);
    CHECK_FALSE(bare.rope.theta);
    CHECK(bare.rope.type == "default");
    CHECK_FALSE(bare.window);
    CHECK_FALSE(bare.attention_softcap);
    CHECK_FALSE(bare.tie_word_embeddings);
    CHECK(bare.layer_types.empty());
}

TEST_CASE("rotary positions are read in both spellings", "[formats]") {
    TemporaryFolder folder;
    const auto old = read(folder, R"(,"num_key_value_heads":2,"head_dim":16,"rope_theta":500000.0,"rope_scaling":null,
        "tie_word_embeddings":true,"rms_norm_eps":1e-5)");
    CHECK(old.kv_heads == 2);
    CHECK(old.head_dim == 16);
    CHECK(old.rope.theta == 500000.0);
    CHECK(old.rope.type == "default");
    CHECK(old.tie_word_embeddings == true);
    CHECK(old.rms_norm_eps == 1e-5);
    const auto current = read(folder, R"(,"rope_parameters":{"rope_theta":100000.0,"rope_type":"llama3","factor":8.0,
        "low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})");
    CHECK(current.rope.theta == 100000.0);
    CHECK(current.rope.type == "llama3");
    CHECK(current.rope.factor == 8.0);
    CHECK(current.rope.high_freq_factor == 4.0);
    CHECK(current.rope.original_context == 8192);
    const auto linear = read(folder, R"(,"rope_theta":5000,"rope_scaling":{"type":"linear","factor":2.0})");
    CHECK(linear.rope.type == "linear");
    CHECK(linear.rope.theta == 5000.0);
    // rope_scaling counts before rope_parameters, as in transformers.
    CHECK(read(folder, R"(,"rope_scaling":{"type":"yarn"},"rope_parameters":{"rope_type":"linear"})").rope.type == "yarn");
    CHECK(read(folder, R"(,"rope_scaling":{},"rope_parameters":{"rope_type":"linear"})").rope.type == "linear");
    const auto layered = read(folder, R"(,"rope_parameters":{"full_attention":{"rope_theta":1e6,"rope_type":"linear","factor":8},
        "sliding_attention":{"rope_theta":9000.0,"rope_type":"default"}})");
    CHECK(layered.rope.theta == 1e6);
    CHECK(layered.rope.factor == 8.0);
    REQUIRE(layered.local_rope);
    CHECK(layered.local_rope->theta == 9000.0);
    CHECK(read(folder, R"(,"rope_local_base_freq":7000.0)").local_theta == 7000.0);
}

TEST_CASE("windows, caps and experts are read", "[formats]") {
    TemporaryFolder folder;
    const auto config = read(folder, R"(,"sliding_window":7,"use_sliding_window":true,"max_window_layers":0,
        "layer_types":["full_attention","sliding_attention"],"query_pre_attn_scalar":24,"attn_logit_softcapping":50.0,
        "final_logit_softcapping":null,"hidden_activation":"gelu_pytorch_tanh","num_experts":8,"num_experts_per_tok":2,
        "moe_intermediate_size":12,"norm_topk_prob":true,"decoder_sparse_step":0,"mlp_only_layers":[1],
        "quantization_config":{"bits":4},"use_bidirectional_attention":true)");
    CHECK(config.window == 7);
    CHECK(config.use_window);
    CHECK(config.max_window_layers == 0);
    CHECK(config.layer_types == std::vector<std::string>{"full_attention", "sliding_attention"});
    CHECK(config.query_scalar == 24.0);
    CHECK(config.attention_softcap == 50.0);
    CHECK(config.logit_softcap == 0.0);
    CHECK(config.activation == "gelu_pytorch_tanh");
    CHECK(config.experts == 8);
    CHECK(config.experts_per_token == 2);
    CHECK(config.expert_size == 12);
    CHECK(config.normalize_experts);
    CHECK(config.sparse_step == 0);
    CHECK(config.dense_layers == std::vector<std::int64_t>{1});
    CHECK(config.quantized);
    CHECK(config.bidirectional);
    CHECK(read(folder, R"(,"num_local_experts":4)").experts == 4);
}

TEST_CASE("bad values of a decoder's config.json are named", "[formats]") {
    TemporaryFolder folder;
    const std::vector<std::pair<std::string, std::string>> bad = {{"rope_theta", "0"},
                                                                  {"rope_theta", "-1e9"},
                                                                  {"rope_scaling", "\"linear\""},
                                                                  {"head_dim", "0"},
                                                                  {"num_key_value_heads", "-1"},
                                                                  {"sliding_window", "1e3"},
                                                                  {"layer_types", "\"full\""},
                                                                  {"layer_types", "[1]"},
                                                                  {"mlp_only_layers", "[-1]"},
                                                                  {"mlp_only_layers", "[99999]"},
                                                                  {"num_experts", "100000000000"},
                                                                  {"rms_norm_eps", "0"},
                                                                  {"final_logit_softcapping", "0"},
                                                                  {"attn_logit_softcapping", "[]"},
                                                                  {"quantization_config", "true"}};
    for (const auto& [key, value] : bad) {
        INFO(key << " = " << value);
        require_error(Code::kCorrupt, {"config.json", key}, [&] { read(folder, ",\"" + key + "\":" + value); });
    }
}
