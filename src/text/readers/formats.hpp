// Which suffix is read by whom. Immutable; thread-safe.
#pragma once

#include <memory>
#include <string_view>

#include "text/readers/page_reader.hpp"

namespace rag::core {

struct FileFormat {
    std::string_view suffix;  // lower case, without its dot
    enum Family { kPage, kTable, kJson, kJsonLines } family;
    PageFormat page;  // of kPage
};

/// The format of a suffix in any case, or null.
const FileFormat* find_format(std::string_view suffix);

std::unique_ptr<DocumentReader> make_table_reader(std::unique_ptr<ByteSource> bytes, ReadOptions options);
std::unique_ptr<DocumentReader> make_json_reader(std::unique_ptr<ByteSource> bytes, ReadOptions options);
std::unique_ptr<DocumentReader> make_json_lines_reader(std::unique_ptr<ByteSource> bytes, ReadOptions options);

}  // namespace rag::core
