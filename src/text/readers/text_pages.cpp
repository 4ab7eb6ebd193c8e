// .txt and source code as they are, .md and .rst with the title that they say.
#include "text/chunkers/lines.hpp"
#include "text/chunkers/outline.hpp"
#include "text/readers/page_reader.hpp"

namespace rag::core {
namespace {

/// The first heading that stands over others, else nothing.
std::string first_title(const std::vector<Section>& outline) {
    for (const Section& section : outline) {
        if (section.depth == 1 && !section.title.empty()) return section.title;
    }
    return {};
}

/// "title:" of the front matter, a line of YAML between lines of "---" at the start; its block scalars are not read.
std::string front_matter_title(std::string_view text) {
    if (!text.starts_with("---")) return {};
    for (std::size_t at = line_at(text, 0).next; at < text.size();) {
        const Line line = line_at(text, at);
        std::string_view view = view_of(text, line);
        if (view.starts_with("---") || view.starts_with("...") || stripped(view).empty()) return {};
        if (view.starts_with("title:")) {
            view = stripped(view.substr(6));
            if (view.size() >= 2 && (view.front() == '"' || view.front() == '\'') && view.back() == view.front())
                view = view.substr(1, view.size() - 2);
            return std::string(view);
        }
        at = line.next;
    }
    return {};
}

}  // namespace

Page read_plain(std::string text, const TextSource&) {
    return {{}, std::move(text), {}};
}

Page read_markdown(std::string text, const TextSource&) {
    std::string title = front_matter_title(text);
    if (title.empty()) title = first_title(markdown_outline(text, false));
    return {std::move(title), std::move(text), {}};
}

Page read_rst(std::string text, const TextSource&) {
    std::string title = first_title(rst_outline(text));
    return {std::move(title), std::move(text), {}};
}

}  // namespace rag::core
