// A safetensors file of arbitrary bytes is refused with an Error or gives tensors whose bytes can all be read.
// link: rag_formats rag_core
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "core/error.hpp"
#include "formats/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rag::core;
    try {
        const auto file = SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzzed.safetensors");
        unsigned sum = 0;
        for (const TensorInfo& tensor : file->tensors()) {
            for (const std::byte byte : tensor.bytes) sum += std::to_integer<unsigned>(byte);
            if (file->find(tensor.name) != &tensor) std::abort();
        }
        volatile unsigned sink = sum;
        static_cast<void>(sink);
    } catch (const Error&) {
        // What is expected of a bad file.
    }
    return 0;
}
