#include "text/chunkers/section_table.hpp"

#include <utility>

#include "text/chunk.hpp"

namespace rag::core {

SectionTable::SectionTable(std::vector<Section> outline)
    : outline_(std::move(outline)), parents_(outline_.size() + 1, 0), tokens_(outline_.size() + 1, 0) {
    std::vector<std::uint32_t> open;
    for (std::uint32_t i = 0; i < outline_.size(); ++i) {
        while (open.size() >= outline_[i].depth) open.pop_back();
        parents_[i + 1] = open.empty() ? 0 : open.back();
        open.push_back(i + 1);
    }
}

void SectionTable::sum_tokens() noexcept {
    // What lies in a section comes after it.
    for (std::size_t i = outline_.size(); i > 0; --i) tokens_[parents_[i]] += tokens_[i];
}

std::uint32_t SectionTable::common(std::uint32_t a, std::uint32_t b) const noexcept {
    while (a != b) {
        if (depth(a) >= depth(b)) {
            a = parents_[a];
        } else {
            b = parents_[b];
        }
    }
    return a;
}

std::string SectionTable::path(std::uint32_t section) const {
    std::string path;
    for (; section != 0; section = parents_[section]) {
        const std::string& title = outline_[section - 1].title;
        if (title.empty()) continue;
        if (path.empty()) {
            path = title;
        } else if (path.size() + kTitlePathSeparator.size() + title.size() <= kMaxTitlePathBytes) {
            path.insert(0, std::string(title).append(kTitlePathSeparator));
        } else {
            break;
        }
    }
    return path;
}

}  // namespace rag::core
