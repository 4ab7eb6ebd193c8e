#include "tiny_models.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <random>

extern "C" void rag_torch_backend(std::uint32_t host_version, rag::core::Backend** out, rag::core::BackendStatus* status);

namespace rag::core::test {

Backend& backend() {
    Backend* out = nullptr;
    BackendStatus status;
    rag_torch_backend(kBackendVersion, &out, &status);
    REQUIRE(status.ok());
    REQUIRE(out != nullptr);
    return *out;
}

std::vector<float> random_values(std::uint64_t seed, std::size_t count, float scale) {
    std::mt19937_64 generator(seed);
    std::vector<float> out(count);
    for (float& value : out) {
        // Sum of uniform numbers: the standard's normal_distribution differs between libraries.
        double sum = -6.0;
        for (int i = 0; i < 12; ++i) {
            sum += static_cast<double>(generator() >> 11) * 0x1p-53;
        }
        value = scale * static_cast<float>(sum);
    }
    return out;
}

std::vector<std::byte> to_bytes(const std::vector<float>& values) {
    std::vector<std::byte> out(values.size() * sizeof(float));
    std::memcpy(out.data(), values.data(), out.size());
    return out;
}

void TinyWeights::add(const std::string& name, std::vector<std::int64_t> shape, float scale, float centre) {
    std::size_t count = 1;
    for (const std::int64_t extent : shape) {
        count *= static_cast<std::size_t>(extent);
    }
    std::vector<float> values = random_values(tensors.size() + 1, count, scale);
    for (float& value : values) {
        value += centre;
    }
    tensors[name] = {ElementType::kF32, std::move(shape), to_bytes(values)};
}

Weights TinyWeights::to_weights() const {
    const auto owner = std::make_shared<const TinyWeights>(*this);
    Weights out;
    for (const auto& [name, tensor] : owner->tensors) {
        out.tensors.push_back({name, tensor.type, tensor.shape, tensor.bytes});
    }
    out.owner = owner;
    out.source = "tiny model";
    return out;
}

EncoderConfig tiny_bert_config() {
    EncoderConfig config;
    config.architecture = "bert";
    config.vocab_size = 50;
    config.hidden_size = 48;
    config.layers = 2;
    config.heads = 4;
    config.intermediate_size = 100;
    config.max_positions = 160;
    config.type_vocab_size = 2;
    return config;
}

TinyWeights tiny_bert() {
    const EncoderConfig c = tiny_bert_config();
    TinyWeights w;
    auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t inputs) {
        w.add(name + ".weight", {rows, inputs}, 1.0F / std::sqrt(static_cast<float>(inputs)));
        w.add(name + ".bias", {rows}, 0.1F);
    };
    auto norm = [&](const std::string& name) {
        w.add(name + ".weight", {c.hidden_size}, 0.1F, 1.0F);
        w.add(name + ".bias", {c.hidden_size}, 0.1F);
    };
    w.add("embeddings.word_embeddings.weight", {c.vocab_size, c.hidden_size}, 1.0F);
    w.add("embeddings.position_embeddings.weight", {c.max_positions, c.hidden_size}, 0.3F);
    w.add("embeddings.token_type_embeddings.weight", {c.type_vocab_size, c.hidden_size}, 0.3F);
    norm("embeddings.LayerNorm");
    for (std::int64_t i = 0; i < c.layers; ++i) {
        const std::string prefix = "encoder.layer." + std::to_string(i) + ".";
        for (const char* part : {"query", "key", "value"}) {
            linear(prefix + "attention.self." + part, c.hidden_size, c.hidden_size);
        }
        linear(prefix + "attention.output.dense", c.hidden_size, c.hidden_size);
        norm(prefix + "attention.output.LayerNorm");
        linear(prefix + "intermediate.dense", c.intermediate_size, c.hidden_size);
        linear(prefix + "output.dense", c.hidden_size, c.intermediate_size);
        norm(prefix + "output.LayerNorm");
    }
    return w;
}

std::vector<float> plain_frequencies(std::int64_t head_dim, double theta) {
    std::vector<float> out;
    for (std::int64_t i = 0; i < head_dim; i += 2) {
        out.push_back(static_cast<float>(std::pow(theta, -static_cast<double>(i) / static_cast<double>(head_dim))));
    }
    return out;
}

DecoderConfig tiny_llama_config() {
    DecoderConfig config;
    config.architecture = "llama";
    config.vocab_size = 50;
    config.hidden_size = 64;
    config.layers = 2;
    config.heads = 4;
    config.kv_heads = 2;
    config.head_dim = 16;
    config.intermediate_size = 96;
    config.context_length = 700;
    config.tied_embeddings = true;
    config.rotary.frequencies = plain_frequencies(config.head_dim);
    return config;
}

TinyWeights tiny_llama(const DecoderConfig& c) {
    TinyWeights w;
    auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t inputs) {
        w.add(name + ".weight", {rows, inputs}, 1.0F / std::sqrt(static_cast<float>(inputs)));
    };
    w.add("model.embed_tokens.weight", {c.vocab_size, c.hidden_size}, 0.5F);
    w.add("model.norm.weight", {c.hidden_size}, 0.1F, 1.0F);
    for (std::int64_t i = 0; i < c.layers; ++i) {
        const std::string prefix = "model.layers." + std::to_string(i) + ".";
        w.add(prefix + "input_layernorm.weight", {c.hidden_size}, 0.1F, 1.0F);
        w.add(prefix + "post_attention_layernorm.weight", {c.hidden_size}, 0.1F, 1.0F);
        linear(prefix + "self_attn.q_proj", c.heads * c.head_dim, c.hidden_size);
        linear(prefix + "self_attn.k_proj", c.kv_heads * c.head_dim, c.hidden_size);
        linear(prefix + "self_attn.v_proj", c.kv_heads * c.head_dim, c.hidden_size);
        linear(prefix + "self_attn.o_proj", c.hidden_size, c.heads * c.head_dim);
        linear(prefix + "mlp.gate_proj", c.intermediate_size, c.hidden_size);
        linear(prefix + "mlp.up_proj", c.intermediate_size, c.hidden_size);
        linear(prefix + "mlp.down_proj", c.hidden_size, c.intermediate_size);
    }
    return w;
}

namespace {

BackendOptions options(Precision precision) {
    return {precision, {}, false, "cpu", 2, {}};
}

}  // namespace

std::unique_ptr<BackendEncoder> load(const EncoderConfig& config, const TinyWeights& weights, Precision precision) {
    std::unique_ptr<BackendEncoder> out;
    const BackendStatus status = backend().load_encoder(config, weights.to_weights(), options(precision), out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

std::unique_ptr<BackendDecoder> load(const DecoderConfig& config, const TinyWeights& weights, Precision precision) {
    return load(config, weights, options(precision));
}

std::unique_ptr<BackendDecoder> load(const DecoderConfig& config, const TinyWeights& weights, const BackendOptions& options) {
    std::unique_ptr<BackendDecoder> out;
    const BackendStatus status = backend().load_decoder(config, weights.to_weights(), options, out);
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

TinyBatch::TinyBatch(const std::vector<std::int64_t>& lengths, std::int32_t vocab) {
    std::mt19937 generator(7);
    offsets.push_back(0);
    for (const std::int64_t length : lengths) {
        for (std::int64_t i = 0; i < length; ++i) {
            ids.push_back(static_cast<std::int32_t>(generator() % static_cast<std::uint32_t>(vocab)));
        }
        offsets.push_back(offsets.back() + length);
    }
}

BackendStatus forward(BackendDecoder& decoder, BackendSession& session, std::span<const std::int32_t> ids,
                      std::span<float> logits, const HostCall& call) {
    DecoderItem item{&session, ids, logits, call, {}, {}};
    const BackendStatus status = decoder.forward({&item, 1});
    return status.ok() ? item.status : status;
}

std::vector<float> encode(BackendEncoder& encoder, const TokenBatch& batch, std::int64_t hidden) {
    std::vector<float> out((batch.offsets.size() - 1) * static_cast<std::size_t>(hidden));
    const BackendStatus status = encoder.encode(batch, out, {});
    INFO(status.text);
    REQUIRE(status.ok());
    return out;
}

float max_difference(const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    float largest = 0.0F;
    for (std::size_t i = 0; i < a.size(); ++i) {
        REQUIRE(std::isfinite(a[i]));
        largest = std::max(largest, std::fabs(a[i] - b[i]));
    }
    return largest;
}

double cosine(const float* a, const float* b, std::size_t count) {
    double product = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
        product += static_cast<double>(a[i]) * b[i];
        aa += static_cast<double>(a[i]) * a[i];
        bb += static_cast<double>(b[i]) * b[i];
    }
    return product / std::sqrt(aa * bb);
}

}  // namespace rag::core::test
