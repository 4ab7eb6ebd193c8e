#include "tokenizer/decoders/replace_all.hpp"

#include <cstddef>

#include "core/find_text.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    if (!from.empty() && find_text(text, from) == std::string::npos) return;
    std::string out;
    std::size_t done = 0;
    if (from.empty()) {
        for (; done < text.size(); done += code_point_at(text, done).length) {
            out += to;
            out.append(text, done, code_point_at(text, done).length);
        }
        out += to;
    } else {
        for (std::size_t at = find_text(text, from); at != std::string::npos; at = find_text(text, from, done)) {
            out.append(text, done, at - done);
            out += to;
            done = at + from.size();
        }
        out.append(text, done);
    }
    text.swap(out);
}

}  // namespace rag::core
