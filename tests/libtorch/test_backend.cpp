// What the backend refuses and how it says so: versions, architectures, options, configurations, tensors. Nothing is loaded then.
#include <catch2/catch.hpp>
#include <string>

#include "core/error.hpp"
#include "tiny_models.hpp"

extern "C" void rag_torch_backend(std::uint32_t host_version, rag::core::Backend** out, rag::core::BackendStatus* status);

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

namespace {

BackendStatus refused(const EncoderConfig& config, const Weights& weights, const BackendOptions& options = {}) {
    std::unique_ptr<BackendEncoder> out;
    BackendStatus status = backend().load_encoder(config, weights, options, out);
    CHECK(out == nullptr);
    CHECK(status.text.find('\n') == std::string::npos);
    return status;
}

BackendStatus refused(const DecoderConfig& config, const Weights& weights) {
    std::unique_ptr<BackendDecoder> out;
    BackendStatus status = backend().load_decoder(config, weights, {}, out);
    CHECK(out == nullptr);
    return status;
}

}  // namespace

TEST_CASE("a host with another interface version gets no backend") {
    Backend* out = &backend();
    BackendStatus status;
    rag_torch_backend(kBackendVersion + 1, &out, &status);
    CHECK(out == nullptr);
    CHECK(status.code == static_cast<std::int32_t>(Code::kVersion));
    CHECK_THAT(status.text, Contains(std::to_string(kBackendVersion + 1)));
}

TEST_CASE("the backend describes itself in one line") {
    const std::string text = backend().describe();
    CHECK_THAT(text, Contains("LibTorch 2.13"));
    CHECK(text.find('\n') == std::string::npos);
}

TEST_CASE("unknown architectures, devices and precisions are refused by name") {
    const Weights weights = tiny_bert().to_weights();
    EncoderConfig config = tiny_bert_config();
    BackendOptions options;
    options.device = "cuda:0";
    BackendStatus status = refused(config, weights, options);
    CHECK(status.code == static_cast<std::int32_t>(Code::kUnsupported));
    CHECK_THAT(status.text, Contains("cuda:0"));
    options = {};
    options.precision = static_cast<Precision>(17);
    CHECK(refused(config, weights, options).code == static_cast<std::int32_t>(Code::kUnsupported));
    config.architecture = "mamba";
    status = refused(config, weights);
    CHECK(status.code == static_cast<std::int32_t>(Code::kUnsupported));
    CHECK_THAT(status.text, Contains("mamba") && Contains("bert"));
    DecoderConfig decoder = tiny_llama_config();
    decoder.architecture = "gpt2";
    CHECK(refused(decoder, weights).code == static_cast<std::int32_t>(Code::kUnsupported));
}

TEST_CASE("a missing tensor is named") {
    for (const char* name :
         {"embeddings.word_embeddings.weight", "encoder.layer.1.output.dense.bias", "embeddings.LayerNorm.bias"}) {
        TinyWeights weights = tiny_bert();
        weights.tensors.erase(name);
        const BackendStatus status = refused(tiny_bert_config(), weights.to_weights());
        CHECK(status.code == static_cast<std::int32_t>(Code::kCorrupt));
        CHECK_THAT(status.text, Contains(name) && Contains("tiny model"));
    }
    TinyWeights weights = tiny_llama();
    weights.tensors.erase("model.layers.0.mlp.up_proj.weight");
    CHECK_THAT(refused(tiny_llama_config(), weights.to_weights()).text, Contains("model.layers.0.mlp.up_proj.weight"));
}

TEST_CASE("a tensor of another shape is named with both shapes") {
    TinyWeights weights = tiny_bert();
    weights.add("encoder.layer.0.intermediate.dense.weight", {100, 47}, 1.0F);
    const BackendStatus status = refused(tiny_bert_config(), weights.to_weights());
    CHECK(status.code == static_cast<std::int32_t>(Code::kCorrupt));
    CHECK_THAT(status.text,
               Contains("[100, 47]") && Contains("[100, 48]") && Contains("encoder.layer.0.intermediate.dense.weight"));
}

TEST_CASE("bytes that do not fit type and shape are refused") {
    TinyWeights weights = tiny_llama();
    weights.at("model.norm.weight").bytes.pop_back();
    CHECK(refused(tiny_llama_config(), weights.to_weights()).code == static_cast<std::int32_t>(Code::kCorrupt));
    weights = tiny_llama();
    weights.at("model.norm.weight").type = static_cast<ElementType>(99);
    CHECK(refused(tiny_llama_config(), weights.to_weights()).code == static_cast<std::int32_t>(Code::kUnsupported));
    weights = tiny_bert();  // 48 columns are no whole number of blocks
    weights.at("embeddings.LayerNorm.bias").type = ElementType::kQ8_0;
    CHECK_THAT(refused(tiny_bert_config(), weights.to_weights()).text, Contains("blocks of 32"));
}

TEST_CASE("two tensors of one name are refused") {
    Weights weights = tiny_bert().to_weights();
    TensorView twin = weights.tensors.front();
    twin.name = "bert." + twin.name;
    weights.tensors.push_back(twin);
    CHECK_THAT(refused(tiny_bert_config(), weights).text, Contains("twice"));
}

TEST_CASE("impossible configurations are refused by field") {
    const Weights weights = tiny_llama().to_weights();
    const auto check = [&](auto change, const std::string& field) {
        DecoderConfig config = tiny_llama_config();
        change(config);
        const BackendStatus status = refused(config, weights);
        CHECK(status.code == static_cast<std::int32_t>(Code::kCorrupt));
        CHECK_THAT(status.text, Contains(field));
    };
    check([](DecoderConfig& c) { c.layers = 0; }, "layers");
    check([](DecoderConfig& c) { c.vocab_size = -1; }, "vocab_size");
    check([](DecoderConfig& c) { c.kv_heads = 3; }, "kv_heads");
    check([](DecoderConfig& c) { c.head_dim = 15; }, "head_dim");
    check([](DecoderConfig& c) { c.rotary.frequencies.pop_back(); }, "frequencies");
    check([](DecoderConfig& c) { c.context_length = 0; }, "context_length");
    EncoderConfig config = tiny_bert_config();
    config.heads = 5;
    CHECK_THAT(refused(config, tiny_bert().to_weights()).text, Contains("heads"));
}

TEST_CASE("codes are those of core/error.hpp") {
    // A missing tensor, a bad argument and a stop, as the host reads them.
    CHECK(static_cast<std::int32_t>(Code::kStopped) == 1);
    auto encoder = load(tiny_bert_config(), tiny_bert(), Precision::kFloat32);
    const TinyBatch batch({4});
    std::vector<float> out(48);
    HostCall call;
    call.stop = [](void*) { return true; };
    CHECK(encoder->encode(batch.view(), out, call).code == static_cast<std::int32_t>(Code::kStopped));
    CHECK(encoder->encode(batch.view(), std::span(out).first(47), {}).code == static_cast<std::int32_t>(Code::kInvalidArgument));
    CHECK(encoder->unmerge_adapter().code == static_cast<std::int32_t>(Code::kInvalidState));
}
