// What the readers of whole files share (.txt, .md, .rst, .html, source code): read all, make title and text of it, clean, give
// one document. A format says how in a function of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "text/readers/reader.hpp"
#include "text/readers/text_source.hpp"

namespace rag::core {

/// A page as its format reads it; `text` is not cleaned yet.
struct Page {
    std::string title;  // empty: none
    std::string text;
    std::string language;
};

/// `name`: for messages. `source` polls for the caller's stop.
using ReadPage = Page (*)(std::string text, const TextSource& source);

Page read_plain(std::string text, const TextSource& source);
Page read_markdown(std::string text, const TextSource& source);
Page read_rst(std::string text, const TextSource& source);
Page read_html(std::string html, const TextSource& source);

/// What the head of a page says about its encoding (<meta charset>, <?xml encoding?>), or nothing.
std::string html_declaration(std::string_view head);

struct PageFormat {
    ReadPage read;
    TextKind kind;
    std::size_t limit;  // bytes of UTF-8 in the file
    TextSource::Declaration declaration;
};

/// options.format, id, title and source are filled in.
std::unique_ptr<DocumentReader> make_page_reader(std::unique_ptr<ByteSource> bytes, const PageFormat& format,
                                                 ReadOptions options);

}  // namespace rag::core
