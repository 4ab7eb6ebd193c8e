#include "tokenizer/normalizers/lowercase.hpp"

#include "tokenizer/unicode/properties.hpp"

namespace rag::core {

void make_lower_case(CharText& text) {
    bool longer = false;
    for (char32_t& value : text.values) {
        if ((unicode::properties(value) & unicode::kHasLower) == 0) continue;
        const auto lower = unicode::lower_case(value);
        if (lower.size() == 1) {
            value = lower[0];
        } else {
            longer = true;
        }
    }
    if (!longer) return;
    text.changes.clear();
    for (const char32_t value : text.values) {
        const auto lower = unicode::lower_case(value);
        if (lower.size() > 1) {
            for (std::size_t i = 0; i < lower.size(); ++i) text.changes.push_back({lower[i], i > 0 ? 1 : 0});
        } else {
            text.changes.push_back({value, 0});
        }
    }
    text.transform(text.changes);
}

void Lowercase::map_ascii(AsciiMap& map) const {
    for (std::int16_t& entry : map) {
        if (entry >= 'A' && entry <= 'Z') entry = static_cast<std::int16_t>(entry - 'A' + 'a');
    }
}

}  // namespace rag::core
