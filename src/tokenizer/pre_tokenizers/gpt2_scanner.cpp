#include "tokenizer/pre_tokenizers/gpt2_scanner.hpp"

#include "tokenizer/pre_tokenizers/split_classes.hpp"

namespace rag::core {
namespace {

// Bytes of an English contraction at `at` (which is an apostrophe), 0 if there is none.
std::uint32_t contraction(std::string_view text, std::uint32_t at, std::uint32_t end) {
    if (at + 1 >= end) return 0;
    const char first = text[at + 1];
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if (at + 2 >= end) return 0;
    const char second = text[at + 2];
    const bool long_form = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l');
    return long_form ? 3 : 0;
}

}  // namespace

void scan_gpt2(std::string_view text, Span piece, std::vector<Span>& out) {
    const std::uint32_t end = piece.end;
    for (std::uint32_t at = piece.start; at < end;) {
        const std::uint32_t start = at;
        if (text[at] == '\'') {
            if (const std::uint32_t length = contraction(text, at, end); length != 0) {
                at += length;
                out.push_back({start, at});
                continue;
            }
        }
        std::uint32_t word = at + (text[at] == ' ' ? 1 : 0);
        if (word < end) {
            const Character character = split_class_at(text, word);
            if (character.properties != unicode::kSpace) {
                at = class_run_end(text, word + character.length, end, character.properties);
                out.push_back({start, at});
                continue;
            }
        }
        at = spaces_end(text, at, end);
        out.push_back({start, at});
    }
}

}  // namespace rag::core
