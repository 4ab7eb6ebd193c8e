// A SHA256SUMS of arbitrary bytes is refused with an Error, or gives names inside the folder and sums of 64 hexadecimal digits.
// link: rag_formats rag_core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "core/error.hpp"
#include "formats/file_sums.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const auto sums = rag::core::parse_sums({reinterpret_cast<const char*>(data), size}, "fuzz");
        for (const auto& [name, sum] : sums) {
            if (sum.size() != 64 || sum.find_first_not_of("0123456789abcdef") != std::string::npos) std::abort();
            if (name.empty() || std::filesystem::path("folder" / std::filesystem::path(name)).lexically_normal() == "..")
                std::abort();
        }
    } catch (const rag::core::Error&) {
        return 0;
    }
    return 0;
}
