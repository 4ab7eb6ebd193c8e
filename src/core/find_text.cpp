#include "core/find_text.hpp"

#include <cstdint>
#include <vector>

namespace rag::core {
namespace {

constexpr std::size_t kShort = 64;  // bytes; up to here a comparison is a few instructions

// `text_at` and `part_at` give the bytes in the order of the search. The place behind the first match, or 0.
template <typename TextAt, typename PartAt>
std::size_t end_of_match(std::size_t text_size, std::size_t part_size, TextAt text_at, PartAt part_at) {
    // borders[i]: how much of the part's beginning its first i + 1 bytes end with, less than all of them.
    std::vector<std::size_t> borders(part_size, 0);
    for (std::size_t i = 1, matched = 0; i < part_size; ++i) {
        while (matched > 0 && part_at(i) != part_at(matched)) matched = borders[matched - 1];
        if (part_at(i) == part_at(matched)) ++matched;
        borders[i] = matched;
    }
    for (std::size_t i = 0, matched = 0; i < text_size; ++i) {
        while (matched > 0 && text_at(i) != part_at(matched)) matched = borders[matched - 1];
        if (text_at(i) == part_at(matched)) ++matched;
        if (matched == part_size) return i + 1;
    }
    return 0;
}

}  // namespace

std::size_t find_text(std::string_view text, std::string_view part, std::size_t from) {
    if (part.size() <= kShort) return text.find(part, from);
    if (from > text.size() || part.size() > text.size() - from) return std::string_view::npos;
    const std::string_view rest = text.substr(from);
    const std::size_t end =
        end_of_match(rest.size(), part.size(), [&](std::size_t i) { return rest[i]; }, [&](std::size_t i) { return part[i]; });
    return end == 0 ? std::string_view::npos : from + end - part.size();
}

std::size_t find_last_text(std::string_view text, std::string_view part) {
    if (part.size() <= kShort) return text.rfind(part);
    if (part.size() > text.size()) return std::string_view::npos;
    const std::size_t end = end_of_match(
        text.size(), part.size(), [&](std::size_t i) { return text[text.size() - 1 - i]; },
        [&](std::size_t i) { return part[part.size() - 1 - i]; });
    return end == 0 ? std::string_view::npos : text.size() - end;
}

}  // namespace rag::core
