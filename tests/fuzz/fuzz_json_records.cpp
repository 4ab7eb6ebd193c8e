// JSON and lines of JSON of any bytes as documents.
// link: rag_text_readers rag_text rag_core nlohmann_json::nlohmann_json
#include <cstdint>

#include "read_documents.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    read_documents(bytes, "list.json");
    read_documents(bytes, "lines.jsonl");
    return 0;
}
