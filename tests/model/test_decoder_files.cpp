// Decoders from GGUF and from Hugging Face folders: the same names and shapes from both, and refusals by key and tensor.
#include <cmath>

#include "formats/gguf.hpp"
#include "model/decoder_files.hpp"
#include "model_files.hpp"

using namespace rag::core;
using namespace rag::test;

namespace {

const TensorView* find(const Weights& weights, const std::string& name) {
    for (const TensorView& tensor : weights.tensors) {
        if (tensor.name == name) return &tensor;
    }
    return nullptr;
}

/// `text` in place of `from`, of the same length: a GGUF file has no room to spare.
void patch(const std::filesystem::path& file, std::string_view from, std::string_view to, std::size_t skip = 0) {
    std::string bytes = read_file(file);
    const auto at = bytes.find(from);
    REQUIRE(at != std::string::npos);
    write_file(file, bytes.replace(at + skip, to.size(), to));
}

std::string number(std::uint32_t value) {
    return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

TEST_CASE("a GGUF file and a folder of the same Llama agree", "[model]") {
    const auto folder = fixture("tiny_llama"), gguf = fixture("tiny_llama.F32.gguf");
    RAG_NEEDS(folder);
    RAG_NEEDS(gguf);
    const DecoderFiles a = read_decoder_files(folder.path), b = read_decoder_files(gguf.path);
    CHECK_FALSE(a.config.interleaved_qk);
    CHECK(b.config.interleaved_qk);
    CHECK(a.config.tied_embeddings);
    CHECK(b.config.tied_embeddings);
    for (const DecoderFiles* files : {&a, &b}) {
        CHECK(files->config.architecture == "llama");
        CHECK(files->config.hidden_size == 64);
        CHECK(files->config.layers == 2);
        CHECK(files->config.heads == 4);
        CHECK(files->config.kv_heads == 2);
        CHECK(files->config.head_dim == 16);
        CHECK(files->config.intermediate_size == 96);
        CHECK(files->config.context_length == 64);
        CHECK(files->config.rotary.frequencies.size() == 8);
        CHECK(files->config.rotary.frequencies[4] == Approx(1.0 / std::sqrt(50000.0)));
        CHECK(files->config.rms_norm_eps == 1e-5F);
        CHECK(files->weights.tensors.size() == 2 + 2 * 9);
        CHECK_FALSE(files->tokenizer.empty());
        CHECK(find(files->weights, "lm_head.weight") == nullptr);
    }
    CHECK(a.config.vocab_size == b.config.vocab_size);
    CHECK(a.layers == b.layers);
    for (const TensorView& tensor : a.weights.tensors) {
        const TensorView* other = find(b.weights, tensor.name);
        INFO(tensor.name);
        REQUIRE(other != nullptr);
        CHECK(other->shape == tensor.shape);
        CHECK(other->bytes.size() == tensor.bytes.size());
        const bool permuted = tensor.name.find("q_proj") != std::string::npos || tensor.name.find("k_proj") != std::string::npos;
        CHECK((std::memcmp(other->bytes.data(), tensor.bytes.data(), tensor.bytes.size()) == 0) == !permuted);
    }
}

TEST_CASE("GGUF tensors keep the types of the file", "[model]") {
    const std::vector<std::pair<std::string, ElementType>> types = {
        {"F32", ElementType::kF32},   {"F16", ElementType::kF16},   {"BF16", ElementType::kBF16}, {"Q8_0", ElementType::kQ8_0},
        {"Q4_0", ElementType::kQ4_0}, {"Q4_1", ElementType::kQ4_1}, {"Q5_0", ElementType::kQ5_0}, {"Q5_1", ElementType::kQ5_1}};
    for (const auto& [name, type] : types) {
        const auto gguf = fixture("tiny_llama." + name + ".gguf");
        RAG_NEEDS(gguf);
        const DecoderFiles files = read_decoder_files(gguf.path);
        CHECK(find(files.weights, "model.layers.1.mlp.down_proj.weight")->type == type);
        CHECK(find(files.weights, "model.norm.weight")->type == ElementType::kF32);
    }
    const auto mixed = fixture("tiny_llama.Q4_1.gguf");
    CHECK(find(read_decoder_files(mixed.path).weights, "model.embed_tokens.weight")->type == ElementType::kQ8_0);
}

TEST_CASE("a Llama with its own output layer, in shards and without a tokenizer", "[model]") {
    const auto folder = fixture("tiny_llama_untied"), gguf = fixture("tiny_llama_untied.F32.gguf");
    RAG_NEEDS(folder);
    RAG_NEEDS(gguf);
    for (const auto& path : {folder.path, gguf.path}) {
        const DecoderFiles files = read_decoder_files(path);
        CHECK_FALSE(files.config.tied_embeddings);
        CHECK(find(files.weights, "lm_head.weight") != nullptr);
        CHECK(files.layers.contains("lm_head"));
        CHECK(files.tokenizer.empty());
    }
}

TEST_CASE("a GGUF file that librag cannot run is refused by key or tensor", "[model]") {
    const auto gguf = fixture("tiny_llama.F32.gguf");
    RAG_NEEDS(gguf);
    TemporaryFolder scratch;
    const auto file = scratch / "model.gguf";
    struct Change {
        std::string from, to;
        std::size_t skip;
        Code code;
        std::vector<std::string> parts;
    };
    const std::size_t value = 4;  // of the type number between key and value
    const std::vector<Change> changes = {
        {"general.architecture", "falco", 20 + value + 8, Code::kUnsupported, {"general.architecture", "falco", "llama"}},
        {"llama.block_count", number(3), 17 + value, Code::kCorrupt, {"blk.2.attn_norm.weight", "missing"}},
        {"llama.block_count", number(0), 17 + value, Code::kCorrupt, {"llama.block_count", "0"}},
        {"llama.block_count", number(1u << 30), 17 + value, Code::kCorrupt, {"llama.block_count", "1073741824"}},
        {"llama.block_count", "X", 0, Code::kCorrupt, {"llama.block_count is missing"}},
        {"llama.embedding_length", number(128), 22 + value, Code::kUnsupported, {"llama.rope.dimension_count", "16", "32"}},
        {"llama.attention.head_count_kv", number(3), 29 + value, Code::kCorrupt, {"4 query heads", "3 key heads"}},
        {"llama.rope.dimension_count", number(8), 26 + value, Code::kUnsupported, {"llama.rope.dimension_count", "8", "16"}},
        {"llama.feed_forward_length",
         number(100),
         25 + value,
         Code::kCorrupt,
         {"blk.0.ffn_gate.weight", "[96, 64]", "[100, 64]"}},
        {"llama.vocab_size", number(321), 16 + value, Code::kCorrupt, {"token_embd.weight", "[321, 64]"}},
        {"llama.rope.freq_base", number(0), 20 + value, Code::kCorrupt, {"llama.rope.freq_base", "0"}},
        {"blk.1.ffn_up.weight", "blk.1.ffn_xx.weight", 0, Code::kCorrupt, {"blk.1.ffn_up.weight", "[96, 64]", "missing"}},
        {"blk.1.ffn_up.weight", "blk.1.attn_q.1.bias", 0, Code::kUnsupported, {"blk.1.attn_q.1.bias"}},
        {"token_embd.weight", "token_xxxx.weight", 0, Code::kCorrupt, {"token_embd.weight", "missing"}},
        {"blk.0.attn_v.weight", number(23), 19 + 4 + 16, Code::kUnsupported, {"blk.0.attn_v.weight", "IQ4_XS", "Q6_K"}},
    };
    for (const Change& change : changes) {
        std::filesystem::copy_file(gguf.path, file, std::filesystem::copy_options::overwrite_existing);
        patch(file, change.from, change.to, change.skip);
        INFO(change.from);
        try {
            read_decoder_files(file);
            FAIL("no error was thrown");
        } catch (const Error& error) {
            INFO(error.what());
            CHECK(error.code() == change.code);
            for (const auto& part : change.parts) CHECK_THAT(error.what(), Catch::Matchers::Contains(part));
        }
    }
    require_error(Code::kNotFound, {"absent.gguf"}, [&] { read_decoder_files(scratch / "absent.gguf"); });
    write_file(file, "");
    require_error(Code::kCorrupt, {"model.gguf"}, [&] { read_decoder_files(file); });
}

TEST_CASE("a Llama folder that librag cannot run is refused by key", "[model]") {
    const auto folder = fixture("tiny_llama");
    RAG_NEEDS(folder);
    TemporaryFolder scratch;
    const std::vector<std::array<std::string, 3>> changes = {
        {"\"model_type\": \"llama\"", "\"model_type\": \"gpt2\"", "gpt2"},
        {"\"rope_type\": \"default\"", "\"rope_type\": \"longrope\"", "longrope"},
        {"\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "gelu"},
        {"\"mlp_bias\": false", "\"quantization_config\": {\"bits\": 4}", "quantization_config"},
    };
    for (const auto& [from, to, part] : changes) {
        const auto copy = copy_model(folder, scratch);
        edit(copy / "config.json", from, to);
        require_error(Code::kUnsupported, {"config.json", part}, [&] { read_decoder_files(copy); });
    }
    auto copy = copy_model(folder, scratch);
    edit(copy / "config.json", "\"attention_bias\": false", "\"attention_bias\": true");
    require_error(Code::kCorrupt, {"self_attn.q_proj.bias", "missing"}, [&] { read_decoder_files(copy); });
    copy = copy_model(folder, scratch);
    edit(copy / "config.json", "\"mlp_bias\": false", "\"mlp_bias\": true");
    require_error(Code::kCorrupt, {"mlp.gate_proj.bias", "missing"}, [&] { read_decoder_files(copy); });
    copy = copy_model(folder, scratch);
    edit(copy / "config.json", "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    require_error(Code::kCorrupt, {"lm_head.weight", "missing"}, [&] { read_decoder_files(copy); });
    copy = copy_model(folder, scratch);
    edit(copy / "config.json", "\"head_dim\": 16", "\"head_dim\": 15");
    require_error(Code::kCorrupt, {"15", "even"}, [&] { read_decoder_files(copy); });
}
