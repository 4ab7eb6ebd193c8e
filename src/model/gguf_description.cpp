#include "model/gguf_description.hpp"

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "formats/gguf.hpp"

namespace rag::core {
namespace {

void write_text(const std::filesystem::path& path, const std::string& text) {
    AtomicFile file(path);
    file.write(std::as_bytes(std::span(text)));
    file.commit();
}

}  // namespace

void describe_gguf_model(const std::filesystem::path& gguf, const DecoderConfig& config, const Tokenizer* tokenizer,
                         const std::filesystem::path& folder, const SavedWeights& saved) {
    const auto file = GgufFile::open(gguf);
    const std::string architecture(file->text("general.architecture").value_or(""));
    if (architecture != "llama" || file->has("llama.expert_count"))
        fail(Code::kUnsupported, "{}: a GGUF file of architecture {} cannot be saved as a folder; llama can",
             quote(file->name(), 400), quote(architecture));
    if (file->text("llama.rope.scaling.type").value_or("none") != "none" || file->find("rope_freqs.weight") != nullptr)
        fail(Code::kUnsupported, "{}: a GGUF file with scaled rotary positions cannot be saved as a folder",
             quote(file->name(), 400));
    LlamaDescription model;
    model.vocab_size = config.vocab_size;
    model.hidden_size = config.hidden_size;
    model.layers = config.layers;
    model.heads = config.heads;
    model.kv_heads = config.kv_heads;
    model.head_dim = config.head_dim;
    model.intermediate_size = config.intermediate_size;
    model.context_length = config.context_length;
    model.rms_norm_eps = file->number("llama.attention.layer_norm_rms_epsilon").value_or(1e-5);
    model.rope_theta = file->number("llama.rope.freq_base").value_or(10000.0);
    model.tied_embeddings = config.tied_embeddings;
    model.bos_token = file->integer("tokenizer.ggml.bos_token_id");
    model.eos_token = file->integer("tokenizer.ggml.eos_token_id");
    write_text(folder / "config.json", llama_config(model, saved));
    if (tokenizer == nullptr) return;
    tokenizer->save(folder / "tokenizer.json");
    write_text(folder / "tokenizer_config.json", tokenizer->configuration_json());
}

}  // namespace rag::core
