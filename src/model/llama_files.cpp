#include "model/llama_files.hpp"

#include "core/error.hpp"
#include "formats/model_folder.hpp"
#include "formats/safetensors.hpp"

namespace rag::core {

void check_llama_config(const DecoderConfig& config, const std::string& source) {
    if (config.heads % config.kv_heads != 0)
        fail(Code::kCorrupt, "{}: {} query heads are no multiple of {} key heads", quote(source, 400), config.heads,
             config.kv_heads);
    if (config.head_dim < 2 || config.head_dim % 2 != 0)
        fail(Code::kCorrupt, "{}: heads of {} dimensions; an even number is needed to rotate pairs", quote(source, 400),
             config.head_dim);
}

std::vector<ExpectedTensor> expected_llama_tensors(const DecoderConfig& config) {
    const std::int64_t hidden = config.hidden_size;
    const std::int64_t query = config.heads * config.head_dim;
    const std::int64_t key = config.kv_heads * config.head_dim;
    std::vector<ExpectedTensor> tensors;
    const auto expect = [&](const std::string& name, std::vector<std::int64_t> shape, bool linear) {
        tensors.push_back({name, name, std::move(shape), linear});
    };
    expect("model.embed_tokens.weight", {config.vocab_size, hidden}, false);
    for (std::int64_t i = 0; i < config.layers; ++i) {
        const std::string layer = fmt::format("model.layers.{}.", i);
        expect(layer + "input_layernorm.weight", {hidden}, false);
        expect(layer + "self_attn.q_proj.weight", {query, hidden}, true);
        expect(layer + "self_attn.k_proj.weight", {key, hidden}, true);
        expect(layer + "self_attn.v_proj.weight", {key, hidden}, true);
        expect(layer + "self_attn.o_proj.weight", {hidden, query}, true);
        expect(layer + "post_attention_layernorm.weight", {hidden}, false);
        expect(layer + "mlp.gate_proj.weight", {config.intermediate_size, hidden}, true);
        expect(layer + "mlp.up_proj.weight", {config.intermediate_size, hidden}, true);
        expect(layer + "mlp.down_proj.weight", {hidden, config.intermediate_size}, true);
    }
    expect("model.norm.weight", {hidden}, false);
    if (!config.tied_embeddings) expect("lm_head.weight", {config.vocab_size, hidden}, true);
    return tensors;
}

DecoderFiles read_llama_folder(const std::filesystem::path& folder) {
    const std::string file = (folder / "config.json").string();
    const std::string type = read_model_type(folder);
    if (type != "llama")
        fail(Code::kUnsupported, "{}: model_type {}; decoders of type llama are supported", quote(file, 400), quote(type));
    const LlamaFolderConfig llama = read_llama_config(folder);
    if (llama.rope_type != "default")
        fail(Code::kUnsupported, "{}: rotary positions of type {}; default is supported", quote(file, 400),
             quote(llama.rope_type));
    if (llama.hidden_act != "silu")
        fail(Code::kUnsupported, "{}: hidden_act {}; silu is supported", quote(file, 400), quote(llama.hidden_act));
    if (llama.attention_bias || llama.mlp_bias)
        fail(Code::kUnsupported, "{}: {} is true, which is not supported", quote(file, 400),
             llama.attention_bias ? "attention_bias" : "mlp_bias");
    DecoderFiles files;
    files.config.architecture = type;
    files.config.vocab_size = llama.vocab_size;
    files.config.hidden_size = llama.hidden_size;
    files.config.layers = llama.layers;
    files.config.heads = llama.heads;
    files.config.kv_heads = llama.kv_heads;
    files.config.head_dim = llama.head_dim;
    files.config.intermediate_size = llama.intermediate_size;
    files.config.context_length = llama.max_positions;
    files.config.rms_norm_eps = static_cast<float>(llama.rms_norm_eps);
    files.config.rope_theta = llama.rope_theta;
    files.config.tied_embeddings = llama.tie_word_embeddings;
    check_llama_config(files.config, file);
    const auto tensors = SafetensorsFile::open(folder);
    const auto expected = expected_llama_tensors(files.config);
    files.weights =
        gather_weights(expected, [&](std::string_view name) { return tensors->find(name); }, tensors, tensors->name());
    files.layers = linear_shapes(expected);
    std::error_code ignored;
    if (std::filesystem::exists(folder / "tokenizer.json", ignored)) files.tokenizer = folder;
    return files;
}

DecoderFiles read_decoder_files(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return read_llama_folder(path);
    return read_llama_gguf(GgufFile::open(path));
}

}  // namespace rag::core
