// For the fuzz targets of readers: reads all documents of an input, allows only the errors that readers may give, and checks what
// every document promises: well-formed text that cleaning leaves alone, an id, metadata that is JSON.
#pragma once

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/readers/reader.hpp"

inline void read_documents(std::string_view bytes, const std::string& name, rag::core::ReadOptions options = {}) {
    using namespace rag::core;
    const bool clean = options.clean;
    const auto require = [](bool condition) {
        if (!condition) std::abort();
    };
    std::unique_ptr<DocumentReader> reader;
    try {
        reader = DocumentReader::open_bytes(bytes, name, std::move(options));
    } catch (const Error& error) {
        return require(error.code() == Code::kInvalidArgument || error.code() == Code::kUnsupported);
    }
    // Each call uses up a byte, a row or the reader.
    for (std::size_t calls = 0;; ++calls) {
        require(calls <= bytes.size() + 2);
        try {
            ReadDocument document;
            if (!reader->next(document)) break;
            for (const std::string* text : {&document.text, &document.title, &document.id, &document.metadata, &document.source})
                require(find_invalid_utf8(*text) == std::string::npos);
            require(!document.text.empty() && !document.id.empty() && document.title.size() <= kMaxReadTitleBytes);
            require(!clean || clean_text(document.text) == document.text);
            require(nlohmann::json::accept(document.metadata));
        } catch (const Error& error) {
            require(error.code() == Code::kInvalidArgument);
        }
    }
}
