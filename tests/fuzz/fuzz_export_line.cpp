// A line of an export: only kInvalidArgument and kVersion may come out, and what is taken is written and read back the same.
// link: rag_exchange
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.hpp"
#include "exchange/document_line.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rag::core;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    try {
        const Line line = parse_line(input);
        const std::string written = std::visit([](const auto& value) { return write_line(value); }, line);
        const Line again = parse_line(written);
        if (std::visit([](const auto& value) { return write_line(value); }, again) != written) std::abort();
    } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument && error.code() != Code::kVersion) std::abort();
    }
    return 0;
}
