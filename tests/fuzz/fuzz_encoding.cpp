// Text files of any bytes: in the encoding that is found, and in each of some that are named.
// link: rag_text_readers rag_text rag_core nlohmann_json::nlohmann_json
#include <cstdint>

#include "read_documents.hpp"
#include "text/readers/encoding.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    read_documents(bytes, "a.txt");
    for (const char* encoding :
         {"gb18030", "big5", "shift_jis", "euc-kr", "utf-16", "utf-16le", "utf-32", "utf-7", "iso-2022-jp", "windows-1252"})
        read_documents(bytes, "a.txt", {.encoding = encoding});
    // The name of an encoding is outside input too: a page may say anything.
    rag::core::known_encoding(bytes.substr(0, 64));
    return 0;
}
