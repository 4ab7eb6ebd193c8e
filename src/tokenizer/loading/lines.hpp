// The lines of a text file of a vocabulary, one after the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace rag::core {

/// Calls visit(line, number) for each line that is not empty, without its line end ("\n" or "\r\n"); numbers begin with 1.
template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
    std::size_t number = 1;
    for (std::size_t at = 0; at < text.size(); ++number) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string_view line = text.substr(at, end - at);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!line.empty()) visit(line, number);
        at = end + 1;
    }
}

}  // namespace rag::core
