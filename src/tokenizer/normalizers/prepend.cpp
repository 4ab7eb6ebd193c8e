#include "tokenizer/normalizers/prepend.hpp"

#include <cstdint>

#include "tokenizer/normalized_text.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {

void Prepend::normalize(NormalizedText& text) const {
    if (text.text().empty()) return;
    TextRewrite rewrite(text);
    if (what_.empty()) {  // Hugging Face still takes the first character's place away
        const std::uint32_t first = code_point_at(text.text(), 0).length;
        rewrite.put(text.text().substr(0, first), rewrite.place_before(0));
        rewrite.skip_to(first);
    }
    rewrite.put(what_, rewrite.place(0));
    rewrite.keep_to(static_cast<std::uint32_t>(rewrite.old().size()));
    rewrite.finish();
}

}  // namespace rag::core
