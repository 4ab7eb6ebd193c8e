// A where filter (the first line of the input) on metadata (the rest): only kInvalidArgument may come out, and what compiles
// must give the same answer for metadata before and after it was brought into one form.
// link: rag_search
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "search/metadata_filter.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace rag::core;
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t line = input.find('\n');
    const std::string_view where = input.substr(0, line);
    const std::string_view given = line == std::string_view::npos ? std::string_view() : input.substr(line + 1);
    std::string metadata;
    try {
        metadata = normalize_metadata(given, "the metadata");
        // One form means one form.
        if (normalize_metadata(metadata, "the metadata") != metadata) std::abort();
    } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument) std::abort();
    }
    try {
        const MetadataFilter filter(where);
        if (metadata.empty()) return 0;
        const bool matched = filter.matches(metadata);
        if (!given.empty() && filter.matches(given) != matched) std::abort();
        if (filter.accepts_all() && !matched) std::abort();
    } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument) std::abort();
    }
    return 0;
}
