#include "tokenizer/normalizers/prepend.hpp"

#include "tokenizer/normalized_text.hpp"

namespace rag::core {

void Prepend::normalize(NormalizedText& text) const {
    if (text.text().empty() || what_.empty()) return;
    TextRewrite rewrite(text);
    rewrite.put(what_, rewrite.place(0));
    rewrite.keep_to(static_cast<std::uint32_t>(rewrite.old().size()));
    rewrite.finish();
}

}  // namespace rag::core
