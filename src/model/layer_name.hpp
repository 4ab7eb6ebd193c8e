// Which layers the names in exceptions of precision mean. The backend asks it for every layer that it loads and saving for every
// tensor that it writes, so a saved model has the layers that were computed with.
// Depends on the standard library alone, as all that librag_torch.so takes from here. Thread rule: any thread.
#pragma once

#include <string>
#include <string_view>

namespace rag::core {

/// Whether `text` fits a pattern: `*` stands for any number of characters. Goes back to the last star alone, which is enough.
inline bool fits_pattern(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

/// Whether a pattern means the layer `module`, named as the architecture does ("encoder.layer.0.output.dense") or as files do
/// that put `prefix` ("bert.") in front.
inline bool means_layer(std::string_view pattern, std::string_view module, std::string_view prefix) {
    if (fits_pattern(pattern, module)) return true;
    return !prefix.empty() && fits_pattern(pattern, std::string(prefix) + std::string(module));
}

}  // namespace rag::core
