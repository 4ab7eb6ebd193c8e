// Tensors on their way into a file: in float32 they are the model's, packed ones load again to the same bits, an adapter is
// added, and a text sample makes int4 better.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;

namespace {

std::vector<float> logits(BackendDecoder& decoder, const std::vector<std::int32_t>& ids) {
    std::unique_ptr<BackendSession> session;
    REQUIRE(decoder.new_session(session).ok());
    std::vector<float> out(ids.size() * 50);
    DecoderItem item;
    item.session = session.get();
    item.ids = ids;
    item.logits = out;
    REQUIRE(decoder.forward(std::span(&item, 1)).ok());
    REQUIRE(item.status.ok());
    return out;
}

std::vector<std::byte> exported(BackendModel& model, const std::string& name, ElementType type,
                                const AdapterWeights* adapter = nullptr) {
    std::vector<std::byte> out;
    const BackendStatus status = model.export_tensor(name, type, adapter, out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

/// Every tensor as a save writes it.
TinyWeights export_all(BackendModel& model, const TinyWeights& weights, Precision precision) {
    TinyWeights out;
    for (const auto& [name, tensor] : weights.tensors) {
        const bool table = name.find("embed") != std::string::npos;
        ElementType type = ElementType::kF32;
        if (tensor.shape.size() == 2) type = precision == Precision::kInt4 && !table ? ElementType::kInt4 : ElementType::kInt8;
        out.tensors[name] = {type, tensor.shape, exported(model, name, type)};
    }
    return out;
}

const std::vector<std::int32_t> kIds = {3, 9, 1, 44, 20, 7, 7, 31};

}  // namespace

TEST_CASE("tensors are exported as the file has them") {
    const TinyWeights weights = tiny_llama();
    const auto decoder = load(tiny_llama_config(), weights, Precision::kInt8);
    for (const auto& [name, tensor] : weights.tensors) {
        INFO(name);
        CHECK(exported(*decoder, name, ElementType::kF32) == tensor.bytes);
        CHECK(exported(*decoder, name, ElementType::kBF16).size() == tensor.bytes.size() / 2);
    }
    std::vector<std::byte> out;
    BackendStatus status = decoder->export_tensor("no.such.weight", ElementType::kF32, nullptr, out);
    CHECK(status.code == static_cast<std::int32_t>(Code::kInvalidArgument));
    CHECK_THAT(status.text, Catch::Matchers::Contains("no.such.weight"));
    CHECK_FALSE(decoder->export_tensor("model.norm.weight", ElementType::kInt4, nullptr, out).ok());
    CHECK_FALSE(decoder->export_tensor("model.norm.weight", ElementType::kQ4K, nullptr, out).ok());
}

TEST_CASE("rows that a GGUF file interleaves are exported in Hugging Face's order") {
    DecoderConfig config = tiny_llama_config();
    config.interleaved_qk = true;
    const TinyWeights weights = tiny_llama();
    const auto gguf = load(config, weights, Precision::kFloat32);
    TinyWeights plain;
    for (const auto& [name, tensor] : weights.tensors)
        plain.tensors[name] = {ElementType::kF32, tensor.shape, exported(*gguf, name, ElementType::kF32)};
    CHECK(logits(*load(tiny_llama_config(), plain, Precision::kFloat32), kIds) == logits(*gguf, kIds));
    CHECK(logits(*load(tiny_llama_config(), weights, Precision::kFloat32), kIds) != logits(*gguf, kIds));
}

TEST_CASE("packed tensors load again to the same bits, and once more") {
    for (const Precision precision : {Precision::kInt8, Precision::kInt4}) {
        const TinyWeights weights = tiny_llama();
        const auto first = load(tiny_llama_config(), weights, precision);
        const std::vector<float> expected = logits(*first, kIds);
        const TinyWeights packed = export_all(*first, weights, precision);
        const auto second = load(tiny_llama_config(), packed, precision);
        CHECK(logits(*second, kIds) == expected);
        const TinyWeights again = export_all(*second, packed, precision);
        for (const auto& [name, tensor] : packed.tensors) CHECK(again.tensors.at(name).bytes == tensor.bytes);
        // In float32 the packed values are computed as they are: near, and not equal.
        const std::vector<float> wide = logits(*load(tiny_llama_config(), packed, Precision::kFloat32), kIds);
        CHECK(cosine(wide.data(), expected.data(), wide.size()) > 0.99);
        TinyWeights torn = packed;
        torn.at("model.layers.0.mlp.up_proj.weight").bytes.pop_back();
        std::unique_ptr<BackendDecoder> none;
        CHECK(backend().load_decoder(tiny_llama_config(), torn.to_weights(), {precision, {}, false, "cpu", 1, {}}, none).code ==
              static_cast<std::int32_t>(Code::kCorrupt));
    }
}

TEST_CASE("an adapter is exported as part of the weights") {
    const auto decoder = load(tiny_llama_config(), tiny_llama(), Precision::kFloat32);
    const std::vector<float> a = random_values(1, 2 * 64);
    const std::vector<float> b = random_values(2, 32 * 2);
    AdapterWeights adapter;
    AdapterPair pair;
    pair.module = "model.layers.1.self_attn.k_proj";
    pair.a = {"a", ElementType::kF32, {2, 64}, std::as_bytes(std::span(a))};
    pair.b = {"b", ElementType::kF32, {32, 2}, std::as_bytes(std::span(b))};
    pair.scale = 0.5F;
    adapter.pairs = {pair};
    adapter.source = "by hand";
    const std::string name = pair.module + ".weight";
    const auto base = exported(*decoder, name, ElementType::kF32);
    const auto merged = exported(*decoder, name, ElementType::kF32, &adapter);
    for (std::size_t row = 0; row < 32; ++row) {
        for (std::size_t column = 0; column < 64; ++column) {
            float before = 0.0F;
            float after = 0.0F;
            std::memcpy(&before, base.data() + 4 * (row * 64 + column), 4);
            std::memcpy(&after, merged.data() + 4 * (row * 64 + column), 4);
            const float delta = 0.5F * (b[2 * row] * a[column] + b[2 * row + 1] * a[64 + column]);
            CHECK(std::fabs(after - before - delta) < 1e-5F);
        }
    }
    const std::string other = "model.layers.0.self_attn.k_proj.weight";
    CHECK(exported(*decoder, other, ElementType::kF32, &adapter) == exported(*decoder, other, ElementType::kF32));
}

TEST_CASE("a text sample changes int4 for the better, and the model not at all") {
    const TinyWeights weights = tiny_llama();
    const auto decoder = load(tiny_llama_config(), weights, Precision::kFloat32);
    const TinyBatch sample({600});
    const TinyBatch other({64});
    const std::vector<float> expected = logits(*decoder, other.ids);
    const auto error = [&] {
        const auto packed = load(tiny_llama_config(), export_all(*decoder, weights, Precision::kInt4), Precision::kInt4);
        const std::vector<float> got = logits(*packed, other.ids);
        double sum = 0.0;
        for (std::size_t i = 0; i < got.size(); ++i) sum += (got[i] - expected[i]) * static_cast<double>(got[i] - expected[i]);
        return sum;
    };
    const double rounded = error();
    REQUIRE(decoder->observe_inputs(true).ok());
    logits(*decoder, sample.ids);
    REQUIRE(decoder->observe_inputs(false).ok());
    CHECK(logits(*decoder, other.ids) == expected);
    CHECK(error() < 0.9 * rounded);
    REQUIRE(decoder->observe_inputs(true).ok());  // nothing seen: plain rounding again
    REQUIRE(decoder->observe_inputs(false).ok());
    CHECK(error() == rounded);
}
