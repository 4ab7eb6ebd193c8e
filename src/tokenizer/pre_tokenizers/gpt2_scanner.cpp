#include "tokenizer/pre_tokenizers/gpt2_scanner.hpp"

#include "tokenizer/pre_tokenizers/characters.hpp"

namespace rag::core {
namespace {

constexpr std::uint16_t kKinds = unicode::kLetter | unicode::kNumber | unicode::kSpace;

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

// The end of the run of characters of one kind (letters, numbers, or none of letters, numbers and spaces).
std::uint32_t run_end(std::string_view text, std::uint32_t at, std::uint32_t end, std::uint16_t kind) {
    while (at < end) {
        const Character character = character_at(text, at);
        if ((character.properties & kKinds) != kind) break;
        at += character.length;
    }
    return at;
}

// The end of the match of \s+(?!\S)|\s+ at `at`: a run of spaces gives its last one to the word that follows.
std::uint32_t spaces_end(std::string_view text, std::uint32_t at, std::uint32_t end) {
    const std::uint32_t begin = at;
    std::uint32_t last = at;
    while (at < end) {
        const Character character = character_at(text, at);
        if ((character.properties & unicode::kSpace) == 0) return last > begin ? last : at;
        last = at;
        at += character.length;
    }
    return at;
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
            const Character character = character_at(text, word);
            const auto kind = static_cast<std::uint16_t>(character.properties & kKinds);
            if (kind != unicode::kSpace) {
                at = run_end(text, word + character.length, end, kind);
                out.push_back({start, at});
                continue;
            }
        }
        at = spaces_end(text, at, end);
        out.push_back({start, at});
    }
}

}  // namespace rag::core
