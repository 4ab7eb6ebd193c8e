#include "tokenizer/pre_tokenizers/cl100k_scanner.hpp"

#include "tokenizer/pre_tokenizers/split_classes.hpp"

namespace rag::core {
namespace {

constexpr std::string_view kThreeDigits =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kOneDigit =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

bool is_newline(char byte) {
    return byte == '\r' || byte == '\n';
}

char lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}

// Bytes of a contraction at `at` (which is an apostrophe), 0 if there is none. Without regard to case, in which U+017F is an s.
std::uint32_t contraction(std::string_view text, std::uint32_t at, std::uint32_t end) {
    const auto byte = [&](std::uint32_t i) { return at + i < end ? lower(text[at + i]) : '\0'; };
    switch (byte(1)) {
        case 's':
        case 't':
        case 'm':
        case 'd':
            return 2;
        case 'r':
        case 'v':
            return byte(2) == 'e' ? 3 : 0;
        case 'l':
            return byte(2) == 'l' ? 3 : 0;
        case '\xC5':
            return byte(2) == '\xBF' ? 3 : 0;
        default:
            return 0;
    }
}

std::uint32_t number_end(std::string_view text, std::uint32_t at, std::uint32_t end, std::uint32_t digits) {
    for (std::uint32_t i = 0; i < digits && at < end; ++i) {
        const Character character = split_class_at(text, at);
        if (character.properties != unicode::kNumber) break;
        at += character.length;
    }
    return at;
}

// [^\s\p{L}\p{N}]+[\r\n]*
std::uint32_t symbols_end(std::string_view text, std::uint32_t at, std::uint32_t end) {
    at = class_run_end(text, at, end, 0);
    while (at < end && is_newline(text[at])) ++at;
    return at;
}

// \s*[\r\n]+|\s+(?!\S)|\s+
std::uint32_t white_end(std::string_view text, std::uint32_t at, std::uint32_t end) {
    const std::uint32_t run_end = class_run_end(text, at, end, unicode::kSpace);
    for (std::uint32_t last = run_end; last > at; --last) {
        if (is_newline(text[last - 1])) return last;
    }
    return spaces_end(text, at, end);
}

std::uint32_t match_end(std::string_view text, std::uint32_t at, std::uint32_t end, std::uint32_t digits) {
    if (text[at] == '\'') {
        if (const std::uint32_t length = contraction(text, at, end); length != 0) return at + length;
    }
    const Character first = split_class_at(text, at);
    const std::uint32_t next = at + first.length;
    if (first.properties == unicode::kLetter) return class_run_end(text, next, end, unicode::kLetter);
    if (first.properties == unicode::kNumber) return number_end(text, at, end, digits);
    if (next < end && !is_newline(text[at])) {
        const Character second = split_class_at(text, next);
        if (second.properties == unicode::kLetter) return class_run_end(text, next + second.length, end, unicode::kLetter);
        if (second.properties == 0 && text[at] == ' ') return symbols_end(text, next, end);
    }
    return first.properties == 0 ? symbols_end(text, at, end) : white_end(text, at, end);
}

}  // namespace

std::optional<std::uint32_t> Cl100kSplit::digits_of(std::string_view pattern) {
    if (pattern == kThreeDigits) return 3;
    if (pattern == kOneDigit) return 1;
    return std::nullopt;
}

void Cl100kSplit::split(NormalizedText& text, std::vector<Span>& pieces, std::vector<Span>& scratch) const {
    const std::string_view bytes = text.text();
    scratch.clear();
    for (const Span& piece : pieces) {
        for (std::uint32_t at = piece.start; at < piece.end;) {
            const std::uint32_t end = match_end(bytes, at, piece.end, digits_);
            scratch.push_back({at, end});
            at = end;
        }
    }
    pieces.swap(scratch);
}

}  // namespace rag::core
