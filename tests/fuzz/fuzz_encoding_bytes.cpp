// Bytes that say they are an encoding are refused with an Error, or give one that is written as the same bytes again.
// link: rag_tokenizer rag_core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.hpp"
#include "tokenizer/encoding_bytes.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    try {
        if (rag::core::encoding_to_bytes(rag::core::encoding_from_bytes(bytes)) != bytes) std::abort();
    } catch (const rag::core::Error&) {
        return 0;
    }
    return 0;
}
