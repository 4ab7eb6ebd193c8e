// A where filter (the first line of the input) on metadata (the rest): only kInvalidArgument may come out, and what compiles
// must give the same answer for metadata before and after it was brought into one form, and over columns.
// link: rag_search
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "search/document_table.hpp"
#include "search/metadata_filter.hpp"

namespace {

using namespace rag::core;

/// The filter over columns must come to the same answer; another document beside it makes the dictionaries larger.
void check_columns(const MetadataFilter& filter, const std::string& metadata, bool matched) {
    const std::string other = R"({"a":1,"b":[1,"x"],"c":{"d":null}})";
    DocumentTable table;
    const std::vector<std::int64_t> chunks{1};
    const std::vector<std::int64_t> more{2, 3};
    table.set(1, chunks);
    table.set(2, more);
    const auto each = [&](const DocumentTable::MetadataVisitor& visit) {
        visit(1, metadata);
        visit(2, other);
    };
    if (!table.prepare(filter, each)) std::abort();
    const IdSet allowed = table.select(filter);
    if (allowed.contains(1) != matched || allowed.contains(2) != filter.matches(other)) std::abort();
    // And once more when the documents have changed places.
    table.set(1, other, chunks);
    table.set(2, metadata, more);
    if (table.select(filter).contains(3) != matched) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
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
        check_columns(filter, metadata, matched);
    } catch (const Error& error) {
        if (error.code() != Code::kInvalidArgument) std::abort();
    }
    return 0;
}
