// BM25 settings of arbitrary bytes are refused as damage, or are written as what is read again.
// link: rag_engine rag_index_bm25 rag_core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.hpp"
#include "engine/bm25_settings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto settings = rag::core::parse_bm25_settings({reinterpret_cast<const char*>(data), size}, "fuzz");
        if (!(rag::core::parse_bm25_settings(rag::core::write_bm25_settings(settings), "fuzz") == settings)) std::abort();
    } catch (const rag::core::Error& error) {
        if (error.code() != rag::core::Code::kCorrupt) std::abort();
    }
    return 0;
}
