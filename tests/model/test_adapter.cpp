// PEFT adapters: read for the model in either format, scaled as PEFT scales, refused when they do not fit.
#include <cmath>

#include "model/adapter.hpp"
#include "model/decoder_files.hpp"
#include "model/encoder_files.hpp"
#include "model_files.hpp"

using namespace rag::core;
using namespace rag::test;

TEST_CASE("the scale of an adapter follows rank, alpha and their patterns", "[model]") {
    LoraFolderConfig config;
    config.r = 4;
    config.lora_alpha = 8;
    CHECK(adapter_scale(config, "model.layers.0.mlp.up_proj", 4, "f") == 2.0F);
    config.use_rslora = true;
    CHECK(adapter_scale(config, "model.layers.0.mlp.up_proj", 4, "f") == 4.0F);
    config.use_rslora = false;
    config.rank_pattern = {{"up_proj", 2}, {"^model.layers.1.mlp.down_proj", 16}};
    config.alpha_pattern = {{"mlp.up_proj", 3.0}};
    CHECK(adapter_rank(config, "model.layers.0.mlp.up_proj", "f") == 2);
    CHECK(adapter_rank(config, "model.layers.0.mlp.sup_proj", "f") == 4);
    CHECK(adapter_rank(config, "up_proj", "f") == 2);
    CHECK(adapter_rank(config, "model.layers.1.mlp.down_proj", "f") == 16);
    CHECK(adapter_rank(config, "x.model.layers.1.mlp.down_proj", "f") == 4);
    CHECK(adapter_scale(config, "model.layers.0.mlp.up_proj", 2, "f") == 1.5F);
    config.rank_pattern = {{"up_proj", 2}, {"mlp.up_proj", 3}};
    require_error(Code::kUnsupported, {"two values", "up_proj"},
                  [&] { adapter_rank(config, "model.layers.0.mlp.up_proj", "f"); });
    // PEFT's keys are regular expressions.
    config.rank_pattern = {{"layers\\.[01]\\..*proj", 6}, {"(q|k)_proj", 5}};
    CHECK(adapter_rank(config, "model.layers.1.mlp.up_proj", "f") == 6);
    CHECK(adapter_rank(config, "model.layers.2.mlp.up_proj", "f") == 4);
    CHECK(adapter_rank(config, "model.layers.2.self_attn.k_proj", "f") == 5);
    CHECK(adapter_rank(config, "model.layers.2.self_attn.k_proj.x", "f") == 4);
    config.rank_pattern = {{"(up_proj", 2}};
    require_error(Code::kUnsupported, {"up_proj"}, [&] { adapter_rank(config, "mlp.up_proj", "f"); });
    config.rank_pattern = {{"", 2}};
    require_error(Code::kCorrupt, {"a pattern is empty"}, [&] { adapter_rank(config, "mlp.up_proj", "f"); });
}

TEST_CASE("an adapter made for the Hugging Face model fits the GGUF file too", "[model]") {
    const auto adapter = fixture("tiny_llama_lora"), folder = fixture("tiny_llama"), gguf = fixture("tiny_llama.Q8_0.gguf");
    RAG_NEEDS(adapter);
    RAG_NEEDS(folder);
    RAG_NEEDS(gguf);
    for (const auto& path : {folder.path, gguf.path}) {
        const AdapterWeights weights = read_adapter(adapter.path, read_decoder_files(path).layers);
        REQUIRE(weights.pairs.size() == 8);
        for (const AdapterPair& pair : weights.pairs) {
            INFO(pair.module);
            const bool down = pair.module.ends_with("down_proj");
            const std::int64_t rank = down ? 2 : pair.module == "model.layers.0.self_attn.v_proj" ? 3 : 4;
            CHECK(pair.a.shape[0] == rank);
            CHECK(pair.b.shape[1] == rank);
            CHECK(pair.scale == Approx(down ? 2.5 : 8.0 / static_cast<double>(rank)));
        }
    }
}

TEST_CASE("an adapter of the encoder is rank-stabilised", "[model]") {
    const auto adapter = fixture("tiny_bert_lora"), folder = fixture("tiny_bert");
    RAG_NEEDS(adapter);
    RAG_NEEDS(folder);
    const LinearShapes layers = read_encoder_folder(folder.path).layers;
    const AdapterWeights weights = read_adapter(adapter.path, layers);
    CHECK(weights.pairs.size() == 2 * 5);
    for (const AdapterPair& pair : weights.pairs) {
        CHECK(layers.contains(pair.module));
        CHECK(pair.module != "pooler.dense");  // in the file, but no embedding depends on it
        CHECK(pair.scale == 3.0F);
    }
}

TEST_CASE("an adapter that does not fit is refused by module and shape", "[model]") {
    const auto adapter = fixture("tiny_llama_lora"), llama = fixture("tiny_llama"), bert = fixture("tiny_bert");
    RAG_NEEDS(adapter);
    RAG_NEEDS(llama);
    RAG_NEEDS(bert);
    const LinearShapes layers = read_decoder_files(llama.path).layers;
    TemporaryFolder scratch;
    require_error(Code::kCorrupt, {"no linear layer", "down_proj"},
                  [&] { read_adapter(adapter.path, read_encoder_folder(bert.path).layers); });
    require_error(Code::kNotFound, {"adapter_config.json"}, [&] { read_adapter(llama.path, layers); });

    auto copy = copy_model(adapter, scratch);
    edit(copy / "adapter_config.json", "\"r\": 4", "\"r\": 5");
    require_error(Code::kCorrupt, {"lora_A", "[4, 64]", "[5, 64]"}, [&] { read_adapter(copy, layers); });
    copy = copy_model(adapter, scratch);
    edit(copy / "adapter_config.json", "\"use_dora\": false", "\"use_dora\": true");
    require_error(Code::kUnsupported, {"use_dora"}, [&] { read_adapter(copy, layers); });

    const auto weights = [&] { return copy / "adapter_model.safetensors"; };
    const std::string key = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight";
    copy = copy_model(adapter, scratch);
    edit_header(weights(), key, "base_model.model.model.layers.9.mlp.down_proj.lora_A.weight");
    require_error(Code::kCorrupt, {"model.layers.0.mlp.down_proj", "lora_A"}, [&] { read_adapter(copy, layers); });
    copy = copy_model(adapter, scratch);
    edit_header(weights(), key, "base_model.model.model.layers.0.mlp.down_proj.lora_magnitude_vector");
    require_error(Code::kUnsupported, {"lora_magnitude_vector"}, [&] { read_adapter(copy, layers); });
    copy = copy_model(adapter, scratch);
    edit_header(weights(), key, "model.layers.0.mlp.down_proj.lora_A.weight");
    require_error(Code::kUnsupported, {"\"model.layers.0.mlp.down_proj.lora_A.weight\""}, [&] { read_adapter(copy, layers); });
    copy = copy_model(adapter, scratch);
    std::filesystem::remove(weights());
    require_error(Code::kNotFound, {"adapter_model.safetensors"}, [&] { read_adapter(copy, layers); });
    write_file(weights(), std::string("\2\0\0\0\0\0\0\0{}", 10));
    require_error(Code::kCorrupt, {"no adapter weights"}, [&] { read_adapter(copy, layers); });
}
