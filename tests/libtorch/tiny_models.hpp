// Small random models in memory, and the calls to the backend that the tests share. A TinyWeights owns the bytes; to_weights()
// lends them as a mapped file would be.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "model/backend.hpp"

namespace rag::core::test {

Backend& backend();

/// Deterministic numbers around 0.
std::vector<float> random_values(std::uint64_t seed, std::size_t count, float scale = 1.0F);

struct TinyTensor {
    ElementType type = ElementType::kF32;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> bytes;
};

class TinyWeights {
  public:
    void add(const std::string& name, std::vector<std::int64_t> shape, float scale, float centre = 0.0F);
    TinyTensor& at(const std::string& name) { return tensors.at(name); }
    Weights to_weights() const;

    std::map<std::string, TinyTensor> tensors;
};

std::vector<std::byte> to_bytes(const std::vector<float>& values);

EncoderConfig tiny_bert_config();
TinyWeights tiny_bert();
/// Rotary frequencies without scaling.
std::vector<float> plain_frequencies(std::int64_t head_dim, double theta = 10000.0);
DecoderConfig tiny_llama_config();
TinyWeights tiny_llama(const DecoderConfig& config = tiny_llama_config());

std::unique_ptr<BackendEncoder> load(const EncoderConfig& config, const TinyWeights& weights, Precision precision);
std::unique_ptr<BackendDecoder> load(const DecoderConfig& config, const TinyWeights& weights, Precision precision);
std::unique_ptr<BackendDecoder> load(const DecoderConfig& config, const TinyWeights& weights, const BackendOptions& options);

/// One sequence alone: its status.
BackendStatus forward(BackendDecoder& decoder, BackendSession& session, std::span<const std::int32_t> ids,
                      std::span<float> logits, const HostCall& call = {});

/// Texts of random ids with these lengths, through one call.
struct TinyBatch {
    explicit TinyBatch(const std::vector<std::int64_t>& lengths, std::int32_t vocab = 50);
    TokenBatch view() const { return {ids, {}, offsets, 0, {}}; }
    std::vector<std::int32_t> ids;
    std::vector<std::int64_t> offsets;
};
std::vector<float> encode(BackendEncoder& encoder, const TokenBatch& batch, std::int64_t hidden);

float max_difference(const std::vector<float>& a, const std::vector<float>& b);
double cosine(const float* a, const float* b, std::size_t count);

}  // namespace rag::core::test
