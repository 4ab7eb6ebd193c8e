// Models on a device of LibTorch's equal those on the processor. The device is one whose memory the host cannot read.
// All architectures against transformers: tests/python/test_devices.py.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "test_device.hpp"
#include "tiny_models.hpp"

using namespace rag::core;
using namespace rag::core::test;
using Catch::Matchers::Contains;

namespace {

constexpr const char* kDevice = "ragtest";

BackendOptions on_device(Precision precision = Precision::kFloat32) {
    rag_test_register_device();
    BackendOptions options;
    options.precision = precision;
    options.device = kDevice;
    options.threads = 1;
    return options;
}

template <typename Config>
BackendStatus refused(const Config& config, const TinyWeights& weights, const BackendOptions& options) {
    if constexpr (std::is_same_v<Config, EncoderConfig>) {
        std::unique_ptr<BackendEncoder> out;
        return backend().load_encoder(config, weights.to_weights(), options, out);
    } else {
        std::unique_ptr<BackendDecoder> out;
        return backend().load_decoder(config, weights.to_weights(), options, out);
    }
}

std::unique_ptr<BackendEncoder> load_encoder(const EncoderConfig& config, const TinyWeights& weights, Precision precision) {
    std::unique_ptr<BackendEncoder> out;
    const BackendStatus status = backend().load_encoder(config, weights.to_weights(), on_device(precision), out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

std::vector<float> all_logits(BackendDecoder& decoder, const std::vector<std::int32_t>& ids, std::size_t step) {
    std::unique_ptr<BackendSession> session;
    REQUIRE(decoder.new_session(session).ok());
    std::vector<float> out(ids.size() * 50);
    for (std::size_t at = 0; at < ids.size(); at += step) {
        const std::size_t count = std::min(step, ids.size() - at);
        const BackendStatus status =
            forward(decoder, *session, std::span(ids).subspan(at, count), std::span(out).subspan(at * 50, count * 50));
        INFO(status.text);
        REQUIRE(status.ok());
    }
    return out;
}

DecoderConfig windowed_config() {
    DecoderConfig config = tiny_llama_config();
    config.window = 7;
    config.windowed = {1, 0};
    config.attention_softcap = 3.0F;
    config.logit_softcap = 5.0F;
    return config;
}

}  // namespace

TEST_CASE("an encoder on a device equals the processor's, text by text") {
    const EncoderConfig config = tiny_bert_config();
    const TinyBatch batch({3, 40, 1, 160, 17, 160, 160, 160, 90});
    const std::vector<float> exact = encode(*load(config, tiny_bert(), Precision::kFloat32), batch.view(), 48);
    for (const auto& [precision, most] :
         {std::pair{Precision::kFloat32, 1e-5F}, {Precision::kFloat16, 5e-3F}, {Precision::kBFloat16, 5e-2F}}) {
        CHECK(max_difference(encode(*load_encoder(config, tiny_bert(), precision), batch.view(), 48), exact) < most);
    }
    EncoderConfig first = config;
    first.pooling = {Pooling::kCls};
    CHECK(max_difference(encode(*load_encoder(first, tiny_bert(), Precision::kFloat32), batch.view(), 48),
                         encode(*load(first, tiny_bert(), Precision::kFloat32), batch.view(), 48)) < 1e-5F);
}

TEST_CASE("a decoder on a device equals the processor's in one pass, in pieces and in steps") {
    const TinyBatch batch({620});
    for (const DecoderConfig& config : {tiny_llama_config(), windowed_config()}) {
        const TinyWeights weights = tiny_llama(config);
        const auto exact = all_logits(*load(config, weights, Precision::kFloat32), batch.ids, batch.ids.size());
        const auto device = load(config, weights, on_device());
        for (const std::size_t step : {std::size_t{620}, std::size_t{97}}) {
            CHECK(max_difference(all_logits(*device, batch.ids, step), exact) < 2e-5F);
        }
        const std::vector<std::int32_t> few(batch.ids.begin(), batch.ids.begin() + 40);
        const std::vector<float> begin(exact.begin(), exact.begin() + 40 * 50);
        CHECK(max_difference(all_logits(*device, few, 1), begin) < 2e-5F);
        CHECK(max_difference(all_logits(*load(config, weights, on_device(Precision::kBFloat16)), few, 40), begin) < 0.2F);
    }
}

TEST_CASE("cached pieces and cut sequences on a device") {
    const DecoderConfig config = tiny_llama_config();
    const TinyBatch batch({60});
    const auto logits_of = [&](BackendDecoder& decoder) {
        std::unique_ptr<BackendSession> passage, session;
        std::unique_ptr<BackendPiece> piece;
        REQUIRE(decoder.new_session(passage).ok());
        REQUIRE(forward(decoder, *passage, std::span(batch.ids).first(20), {}).ok());
        REQUIRE(decoder.copy_piece(*passage, piece).ok());
        REQUIRE(decoder.new_session(session).ok());
        REQUIRE(forward(decoder, *session, std::span(batch.ids).subspan(20, 30), {}).ok());
        REQUIRE(session->truncate(25).ok());
        const BackendStatus status = decoder.append_piece(*session, *piece);
        INFO(status.text);
        REQUIRE(status.ok());
        std::vector<float> out(50);
        REQUIRE(forward(decoder, *session, std::span(batch.ids).subspan(50, 10), out).ok());
        return out;
    };
    CHECK(max_difference(logits_of(*load(config, tiny_llama(), on_device())),
                         logits_of(*load(config, tiny_llama(), Precision::kFloat32))) < 2e-5F);
}

TEST_CASE("layers with a window drop and move their keys on a device") {
    DecoderConfig config = windowed_config();
    config.windowed = {1, 1};
    const TinyBatch batch({600});
    const TinyWeights weights = tiny_llama(config);
    const auto exact = all_logits(*load(config, weights, Precision::kFloat32), batch.ids, 600);
    CHECK(max_difference(all_logits(*load(config, weights, on_device()), batch.ids, 3), exact) < 2e-5F);
}

TEST_CASE("what the processor's kernels alone compute is refused on a device by name") {
    for (const Precision precision : {Precision::kInt8, Precision::kInt4}) {
        for (const BackendStatus& status : {refused(tiny_bert_config(), tiny_bert(), on_device(precision)),
                                            refused(tiny_llama_config(), tiny_llama(), on_device(precision))}) {
            CHECK(status.code == static_cast<std::int32_t>(Code::kUnsupported));
            CHECK_THAT(status.text, Contains("ragtest") && Contains("bfloat16"));
        }
    }
    BackendOptions options = on_device();
    options.exceptions = {{"lm_head", Precision::kInt8}};
    CHECK(refused(tiny_llama_config(), tiny_llama(), options).code == static_cast<std::int32_t>(Code::kUnsupported));
    options.exceptions.clear();
    options.int8_cache = true;
    CHECK_THAT(refused(tiny_llama_config(), tiny_llama(), options).text, Contains("keys and values"));
    options = on_device();
    options.device = "ragtest:3";
    CHECK_THAT(refused(tiny_bert_config(), tiny_bert(), options).text, Contains("has 1 of the kind"));
    options.device = "cuda";
    CHECK_THAT(refused(tiny_bert_config(), tiny_bert(), options).text, Contains("this machine has ragtest"));
}
