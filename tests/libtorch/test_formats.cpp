// Element types of model files through the backend: a model whose layers lie in GGUF's blocks computes what the same model
// computes with the values of those blocks in float32.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <utility>

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
    REQUIRE(forward(decoder, *session, ids, out).ok());
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
    config.rotary.frequencies = plain_frequencies(64);
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

TEST_CASE("int4 takes blocks of four bits as they are, also where rows change places") {
    const auto path = rag::test::fixture("blocks.safetensors");
    RAG_NEEDS(path);
    const auto file = SafetensorsFile::open(path.path);
    DecoderConfig config = tiny_llama_config();
    config.hidden_size = 256;
    config.intermediate_size = 256;
    config.head_dim = 64;
    config.rotary.frequencies = plain_frequencies(64);
    config.interleaved_qk = true;
    for (const auto& [name, type] : {std::pair{"Q4_0", ElementType::kQ4_0}, std::pair{"Q4_1", ElementType::kQ4_1}}) {
        INFO(name);
        const TensorInfo* blocks = file->find(std::string(name) + ".tame.blocks");
        const TensorInfo* values = file->find(std::string(name) + ".tame.values");
        REQUIRE(blocks != nullptr);
        REQUIRE(values != nullptr);
        // Every linear layer holds the same blocks, so that nothing is left for rounding; tables have a byte in both.
        TinyWeights packed = tiny_llama(config);
        TinyWeights plain = tiny_llama(config);
        for (auto& [tensor, content] : packed.tensors) {
            if (tensor.find("_proj.") == std::string::npos) continue;
            const std::int64_t rows = content.shape[0];
            const auto share = static_cast<std::size_t>(rows) * blocks->bytes.size() / 256;
            const auto floats = static_cast<std::size_t>(rows) * 256 * sizeof(float);
            content = {type, {rows, 256}, {blocks->bytes.begin(), blocks->bytes.begin() + static_cast<std::ptrdiff_t>(share)}};
            plain.at(tensor) = {ElementType::kF32,
                                {rows, 256},
                                {values->bytes.begin(), values->bytes.begin() + static_cast<std::ptrdiff_t>(floats)}};
        }
        const std::vector<float> expected = logits(*load(config, plain, Precision::kFloat32), config.vocab_size);
        const std::vector<float> got = logits(*load(config, packed, Precision::kInt4), config.vocab_size);
        float largest = 0.0F;
        for (const float value : expected) largest = std::max(largest, std::fabs(value));
        CHECK(max_difference(got, expected) < 0.02F * largest);
    }
}
