#include "tokenizer/normalizers/bert.hpp"

#include <algorithm>

#include "tokenizer/normalizers/lowercase.hpp"
#include "tokenizer/normalizers/normal_form.hpp"
#include "tokenizer/unicode/properties.hpp"

namespace rag::core {
namespace {

// The table follows the oracle: U+FFFD is removed too; tab, line feed and carriage return are white, not control.
bool is_removed(char32_t value) {
    return (unicode::properties(value) & unicode::kControl) != 0;
}

char32_t cleaned(char32_t value) {
    return (unicode::properties(value) & unicode::kWhite) != 0 ? U' ' : value;
}

void space_chinese(CharText& text) {
    const auto is_chinese = [](char32_t value) { return (unicode::properties(value) & unicode::kCjk) != 0; };
    if (std::none_of(text.values.begin(), text.values.end(), is_chinese)) return;
    text.changes.clear();
    for (const char32_t value : text.values) {
        if (is_chinese(value)) {
            text.changes.push_back({U' ', 0});
            text.changes.push_back({value, 1});
            text.changes.push_back({U' ', 1});
        } else {
            text.changes.push_back({value, 0});
        }
    }
    text.transform(text.changes);
}

}  // namespace

void BertNormalizer::normalize_run(CharText& text) const {
    if (options_.clean_text) {
        text.filter([](char32_t value) { return !is_removed(value); });
        for (char32_t& value : text.values) value = cleaned(value);
    }
    if (options_.handle_chinese_chars) space_chinese(text);
    if (options_.strip_accents) {
        decompose(text, false);
        text.filter([](char32_t value) { return (unicode::properties(value) & unicode::kMarkNonspacing) == 0; });
    }
    if (options_.lowercase) make_lower_case(text);
}

void BertNormalizer::map_ascii(AsciiMap& map) const {
    for (std::int16_t& entry : map) {
        if (entry == kDropped) continue;
        if (options_.clean_text) {
            const auto value = static_cast<char32_t>(entry);
            entry = is_removed(value) ? kDropped : static_cast<std::int16_t>(cleaned(value));
        }
        if (options_.lowercase && entry >= 'A' && entry <= 'Z') entry = static_cast<std::int16_t>(entry - 'A' + 'a');
    }
}

}  // namespace rag::core
