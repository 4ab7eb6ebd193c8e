// For the tests of this folder: all documents that bytes hold.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/readers/reader.hpp"

inline std::vector<rag::core::ReadDocument> read_bytes(std::string_view bytes, const std::string& name,
                                                       rag::core::ReadOptions options = {}) {
    const auto reader = rag::core::DocumentReader::open_bytes(bytes, name, std::move(options));
    std::vector<rag::core::ReadDocument> out;
    for (rag::core::ReadDocument document; reader->next(document);) out.push_back(document);
    return out;
}

/// The text of the only document.
inline std::string read_text(std::string_view bytes, const std::string& name, rag::core::ReadOptions options = {}) {
    const auto documents = read_bytes(bytes, name, std::move(options));
    return documents.size() == 1 ? documents[0].text : "(" + std::to_string(documents.size()) + " documents)";
}
