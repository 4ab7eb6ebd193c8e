// A LoRA in GGUF of arbitrary bytes is refused with an Error, or gives pairs that fit the layers of the model and lie in memory.
// link: rag_model rag_formats rag_core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "core/error.hpp"
#include "model/adapter_gguf.hpp"
#include "model/decoder_family.hpp"

namespace {

using namespace rag::core;

DecoderConfig small_llama() {
    DecoderConfig config;
    config.architecture = "llama";
    config.vocab_size = 10;
    config.hidden_size = 8;
    config.layers = 2;
    config.heads = 2;
    config.kv_heads = 1;
    config.head_dim = 4;
    config.intermediate_size = 6;
    config.context_length = 16;
    return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const DecoderConfig config = small_llama();
    static const LinearShapes layers = linear_shapes(expected_decoder_tensors(config));
    try {
        const auto file = GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzzed.gguf");
        const AdapterWeights adapter = read_gguf_adapter(file, config, layers);
        if (adapter.pairs.empty()) std::abort();
        unsigned sum = 0;
        for (const AdapterPair& pair : adapter.pairs) {
            const auto& shape = layers.at(pair.module);
            if (pair.a.shape.at(1) != shape.at(1) || pair.b.shape.at(0) != shape.at(0) || pair.a.shape[0] != pair.b.shape.at(1))
                std::abort();
            for (const TensorView* tensor : {&pair.a, &pair.b}) {
                for (const std::byte byte : tensor->bytes) sum += std::to_integer<unsigned>(byte);
            }
        }
        volatile unsigned sink = sum;
        static_cast<void>(sink);
    } catch (const Error&) {
        // What is expected of a bad file.
    }
    return 0;
}
