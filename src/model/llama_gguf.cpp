// Llama out of GGUF: the metadata keys of llama.cpp's converter, and its tensor names turned into Hugging Face's.
#include <array>
#include <cmath>
#include <string_view>

#include "core/error.hpp"
#include "model/llama_files.hpp"

namespace rag::core {
namespace {

constexpr std::int64_t kMaxDimension = std::int64_t{1} << 24;
constexpr std::int64_t kMaxLayers = 4096;

/// The metadata of one file, read with ranges.
class Metadata {
  public:
    explicit Metadata(const GgufFile& file) : file_(file) {}

    std::int64_t optional(const std::string& key, std::int64_t maximum, std::int64_t fallback) const {
        const auto value = file_.integer(key);
        if (!value) return fallback;
        if (*value < 1 || *value > maximum)
            fail(Code::kCorrupt, "{}: {} is {}, 1 to {} is expected", quote(file_.name(), 400), key, *value, maximum);
        return *value;
    }
    std::int64_t required(const std::string& key, std::int64_t maximum) const {
        if (!file_.has(key)) fail(Code::kCorrupt, "{}: {} is missing", quote(file_.name(), 400), key);
        return optional(key, maximum, 0);
    }
    double positive(const std::string& key, double fallback) const {
        const double value = file_.number(key).value_or(fallback);
        if (!std::isfinite(value) || value <= 0.0)
            fail(Code::kCorrupt, "{}: {} is {}, a number above 0 is expected", quote(file_.name(), 400), key, value);
        return value;
    }
    /// A head's part that librag wants to be the whole head.
    void same(const std::string& key, std::int64_t head_dim) const {
        const std::int64_t value = optional(key, kMaxDimension, head_dim);
        if (value != head_dim)
            fail(Code::kUnsupported, "{}: {} is {}, other than the {} dimensions of a head", quote(file_.name(), 400), key, value,
                 head_dim);
    }

  private:
    const GgufFile& file_;
};

void refuse_other_kinds(const GgufFile& file) {
    const std::string name = quote(file.name(), 400);
    const auto architecture = file.text("general.architecture");
    if (!architecture) fail(Code::kCorrupt, "{}: general.architecture is missing", name);
    if (*architecture != "llama")
        fail(Code::kUnsupported, "{}: general.architecture {}; llama is supported", name, quote(*architecture));
    if (const std::int64_t parts = file.integer("split.count").value_or(0); parts > 1)
        fail(Code::kUnsupported, "{}: one of {} parts of a split model; join them with gguf-split", name, parts);
    if (const auto scaling = file.text("llama.rope.scaling.type"); scaling && *scaling != "none")
        fail(Code::kUnsupported, "{}: llama.rope.scaling.type {}; none is supported", name, quote(*scaling));
    if (const std::int64_t experts = file.integer("llama.expert_count").value_or(0); experts > 0)
        fail(Code::kUnsupported, "{}: llama.expert_count {}; models without experts are supported", name, experts);
    // Tensors that change the arithmetic must not be passed over in silence.
    for (const TensorInfo& tensor : file.tensors()) {
        if (tensor.name == "rope_freqs.weight" || tensor.name.ends_with(".bias"))
            fail(Code::kUnsupported, "{}: tensor {} is not supported", name, quote(tensor.name));
    }
}

DecoderConfig read_config(const GgufFile& file) {
    const Metadata metadata(file);
    const TensorInfo* embedding = file.find("token_embd.weight");
    if (embedding == nullptr || embedding->shape.size() != 2)
        fail(Code::kCorrupt, "{}: tensor \"token_embd.weight\" of two dimensions is missing", quote(file.name(), 400));
    DecoderConfig config;
    config.architecture = "llama";
    config.vocab_size = metadata.optional("llama.vocab_size", kMaxDimension, embedding->shape[0]);
    config.hidden_size = metadata.required("llama.embedding_length", kMaxDimension);
    config.layers = metadata.required("llama.block_count", kMaxLayers);
    config.heads = metadata.required("llama.attention.head_count", kMaxDimension);
    config.kv_heads = metadata.optional("llama.attention.head_count_kv", kMaxDimension, config.heads);
    config.intermediate_size = metadata.required("llama.feed_forward_length", kMaxDimension);
    config.context_length = metadata.required("llama.context_length", kMaxDimension);
    config.head_dim = metadata.optional("llama.attention.key_length", kMaxDimension, config.hidden_size / config.heads);
    metadata.same("llama.attention.value_length", config.head_dim);
    metadata.same("llama.rope.dimension_count", config.head_dim);
    config.rms_norm_eps = static_cast<float>(metadata.positive("llama.attention.layer_norm_rms_epsilon", 1e-5));
    config.rope_theta = metadata.positive("llama.rope.freq_base", 10000.0);
    config.tied_embeddings = file.find("output.weight") == nullptr;
    config.interleaved_qk = true;
    check_llama_config(config, file.name());
    return config;
}

/// "model.layers.3.mlp.up_proj.weight" -> "blk.3.ffn_up.weight".
std::string gguf_name(const std::string& name) {
    struct Names {
        std::string_view hugging_face, gguf;
    };
    constexpr std::array outer = {Names{"model.embed_tokens.weight", "token_embd.weight"},
                                  Names{"model.norm.weight", "output_norm.weight"}, Names{"lm_head.weight", "output.weight"}};
    constexpr std::array inner = {
        Names{"input_layernorm.weight", "attn_norm.weight"},    Names{"self_attn.q_proj.weight", "attn_q.weight"},
        Names{"self_attn.k_proj.weight", "attn_k.weight"},      Names{"self_attn.v_proj.weight", "attn_v.weight"},
        Names{"self_attn.o_proj.weight", "attn_output.weight"}, Names{"post_attention_layernorm.weight", "ffn_norm.weight"},
        Names{"mlp.gate_proj.weight", "ffn_gate.weight"},       Names{"mlp.up_proj.weight", "ffn_up.weight"},
        Names{"mlp.down_proj.weight", "ffn_down.weight"}};
    for (const Names& names : outer) {
        if (name == names.hugging_face) return std::string(names.gguf);
    }
    constexpr std::string_view kLayers = "model.layers.";
    const auto dot = name.find('.', kLayers.size());
    const std::string_view number = std::string_view(name).substr(kLayers.size(), dot - kLayers.size());
    const std::string_view rest = std::string_view(name).substr(dot + 1);
    for (const Names& names : inner) {
        if (rest == names.hugging_face) return fmt::format("blk.{}.{}", number, names.gguf);
    }
    fail(Code::kInternal, "no GGUF name for tensor {}", quote(name));
}

}  // namespace

DecoderFiles read_llama_gguf(std::shared_ptr<const GgufFile> file) {
    refuse_other_kinds(*file);
    DecoderFiles files;
    files.config = read_config(*file);
    auto expected = expected_llama_tensors(files.config);
    for (ExpectedTensor& tensor : expected) tensor.file_name = gguf_name(tensor.name);
    files.weights = gather_weights(expected, [&](std::string_view name) { return file->find(name); }, file, file->name());
    files.layers = linear_shapes(expected);
    if (file->has("tokenizer.ggml.model")) files.tokenizer = file->name();
    return files;
}

}  // namespace rag::core
