// Pages of any bytes: documents or kInvalidArgument, and what the reader writes is cut into chunks that cover it.
// link: rag_text_readers rag_text rag_core nlohmann_json::nlohmann_json
#include <cstdint>

#include "read_documents.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    read_documents({reinterpret_cast<const char*>(data), size}, "page.html");
    return 0;
}
