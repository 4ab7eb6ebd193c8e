// A mark of commits of arbitrary bytes is refused, or says what it is written as again.
// link: rag_store rag_core
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "store/commit_mark.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    const auto mark = rag::core::parse_mark(bytes);
    if (mark && !std::ranges::equal(rag::core::write_mark(*mark), bytes)) std::abort();
    return 0;
}
