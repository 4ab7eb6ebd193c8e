// Element types of model files through the backend: a model whose layers lie in GGUF's blocks computes what the same model
// computes with the values of those blocks in float32.
#include <catch2/catch.hpp>
#include <string>

#include "../support/test_files.hpp"
#include "formats/safetensors.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;

namespace {

std::vector<float> logits(BackendDecoder& decoder, std::int64_t vocab) {
    std::unique_ptr<BackendSession> session;
    REQUIRE(decoder.new_session(session).ok());
    const std::vector<std::int32_t> ids = {1, 5, 9, 2, 30, 17};
    std::vector<float> out(ids.size() * static_cast<std::size_t>(vocab));
    REQUIRE(session->forward(ids, out, {}).ok());
    return out;
}

}  // namespace

TEST_CASE("layers in every block type compute as their values do") {
    const auto path = rag::test::fixture("blocks.safetensors");
    RAG_NEEDS(path);
    const auto file = SafetensorsFile::open(path.path);
    struct Type {
        const char* name;
        ElementType type;
    };
    DecoderConfig config = tiny_llama_config();
    config.hidden_size = 256;
    config.intermediate_size = 256;
    config.head_dim = 64;
    const std::string up = "model.layers.1.mlp.up_proj.weight";
    std::vector<float> before;
    for (const Type& type : {Type{"Q8_0", ElementType::kQ8_0}, Type{"Q4_0", ElementType::kQ4_0}, Type{"Q4_1", ElementType::kQ4_1},
                             Type{"Q5_0", ElementType::kQ5_0}, Type{"Q5_1", ElementType::kQ5_1}, Type{"Q2_K", ElementType::kQ2K},
                             Type{"Q3_K", ElementType::kQ3K}, Type{"Q4_K", ElementType::kQ4K}, Type{"Q5_K", ElementType::kQ5K},
                             Type{"Q6_K", ElementType::kQ6K}}) {
        INFO(type.name);
        const std::string stem = std::string(type.name) + ".tame.";
        const TensorInfo* blocks = file->find(stem + "blocks");
        const TensorInfo* values = file->find(stem + "values");
        REQUIRE(blocks != nullptr);
        REQUIRE(values != nullptr);
        TinyWeights weights = tiny_llama(config);
        weights.at(up) = {ElementType::kF32, {256, 256}, {values->bytes.begin(), values->bytes.end()}};
        const std::vector<float> expected = logits(*load(config, weights, Precision::kFloat32), config.vocab_size);
        weights.at(up) = {type.type, {256, 256}, {blocks->bytes.begin(), blocks->bytes.end()}};
        CHECK(logits(*load(config, weights, Precision::kFloat32), config.vocab_size) == expected);
        CHECK(expected != before);  // the layer matters
        before = expected;
        weights.at(up).bytes.pop_back();
        std::unique_ptr<BackendDecoder> none;
        CHECK_FALSE(backend().load_decoder(config, weights.to_weights(), {}, none).ok());
    }
}
