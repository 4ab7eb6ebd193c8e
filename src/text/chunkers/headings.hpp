// What the outlines of Markdown and reStructuredText share: headings in a row become sections that nest, and inline markup is
// taken out of titles. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/chunkers/outline.hpp"

namespace rag::core {

struct Heading {
    std::size_t start = 0;
    std::uint32_t level = 1;  // smaller: stands higher; levels may be left out
    std::string title;
};

/// A section reaches to the next heading of its level or a higher one.
std::vector<Section> nest_headings(std::vector<Heading> headings, std::size_t text_size);

/// Without `code`, *emphasis*, [links](to), :roles:`of rst` and a closing {#anchor}; one line, at most kMaxHeadingBytes.
std::string heading_text(std::string_view raw);

}  // namespace rag::core
