#include "tokenizer/normalizers/byte_level.hpp"

#include <cstdint>
#include <string>

#include "tokenizer/models/byte_alphabet.hpp"
#include "tokenizer/normalized_text.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {

void ByteLevelNormalizer::normalize(NormalizedText& text) const {
    TextRewrite rewrite(text);
    write_alphabet(rewrite, static_cast<std::uint32_t>(rewrite.old().size()));
    rewrite.finish();
}

void write_alphabet(TextRewrite& rewrite, std::uint32_t end) {
    const std::string_view old = rewrite.old();
    std::string letters;
    while (rewrite.at() < end) {
        std::uint32_t at = rewrite.at();
        while (at < end && old[at] > ' ' && old[at] < 0x7F) ++at;  // stands for itself
        rewrite.keep_to(at);
        if (at == end) return;
        const std::uint32_t length = code_point_at(old, at).length;
        letters.clear();
        append_alphabet(letters, old.substr(at, length));
        rewrite.put(letters, rewrite.place(at));
        rewrite.skip_to(at + length);
    }
}

}  // namespace rag::core
