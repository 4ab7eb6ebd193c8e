// Tables of any bytes, with the delimiter guessed and given, cleaned and not.
// link: rag_text_readers rag_text rag_core nlohmann_json::nlohmann_json
#include <cstdint>

#include "read_documents.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    read_documents(bytes, "table.csv");
    read_documents(bytes, "table.tsv", {.clean = false});
    read_documents(bytes, "table.csv", {.text_field = "text", .delimiter = ';'});
    return 0;
}
