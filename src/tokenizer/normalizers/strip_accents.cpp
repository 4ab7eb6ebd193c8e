#include "tokenizer/normalizers/strip_accents.hpp"

#include "tokenizer/unicode/properties.hpp"

namespace rag::core {

void StripAccents::normalize_run(CharText& text) const {
    text.filter([](char32_t value) { return (unicode::properties(value) & unicode::kMark) == 0; });
}

}  // namespace rag::core
