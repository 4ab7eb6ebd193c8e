#include "text/icu.hpp"

#include <memory>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {
namespace {

struct CloseIterator {
    void operator()(UBreakIterator* iterator) const noexcept { ubrk_close(iterator); }
};
using IteratorPtr = std::unique_ptr<UBreakIterator, CloseIterator>;

IteratorPtr open_iterator(UBreakIteratorType type, const char* locale) {
    UErrorCode code = U_ZERO_ERROR;
    IteratorPtr iterator(ubrk_open(type, locale, nullptr, 0, &code));
    check_icu(code, "ubrk_open");
    return iterator;
}

bool is_space(char byte) noexcept {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

}  // namespace

void check_icu(UErrorCode code, const char* call) {
    if (U_FAILURE(code)) fail(Code::kInternal, "ICU: {} failed with {}", call, u_errorName(code));
}

UBreakIterator* word_iterator() {
    thread_local const IteratorPtr iterator = open_iterator(UBRK_WORD, "root");
    return iterator.get();
}

// "ss=standard" keeps "Mr. Smith" and "e.g. this" in one sentence by CLDR's list of English abbreviations; it changes nothing
// for other languages.
UBreakIterator* sentence_iterator() {
    thread_local const IteratorPtr iterator = open_iterator(UBRK_SENTENCE, "en@ss=standard");
    return iterator.get();
}

Utf16Text& utf16_buffer() {
    thread_local Utf16Text buffer;
    return buffer;
}

void Utf16Text::assign(std::string_view utf8) {
    units.resize(utf8.size());
    offsets.resize(utf8.size() + 1);
    std::size_t count = 0;
    for (std::size_t at = 0; at < utf8.size();) {
        const auto byte = static_cast<unsigned char>(utf8[at]);
        offsets[count] = static_cast<std::uint32_t>(at);
        if (byte < 0x80) {
            units[count++] = byte;
            ++at;
            continue;
        }
        const Utf8Step step = decode_utf8(utf8, at);
        if (step.value < 0x10000) {
            units[count++] = static_cast<char16_t>(step.value);
        } else {
            const char32_t rest = step.value - 0x10000;
            units[count++] = static_cast<char16_t>(0xD800 + (rest >> 10));
            offsets[count] = static_cast<std::uint32_t>(at);
            units[count++] = static_cast<char16_t>(0xDC00 + (rest & 0x3FF));
        }
        at += step.length;
    }
    units.resize(count);
    offsets.resize(count + 1);
    offsets[count] = static_cast<std::uint32_t>(utf8.size());
}

std::size_t piece_end(std::string_view text, std::size_t start) noexcept {
    if (text.size() - start <= kIcuPieceBytes) return text.size();
    const std::size_t limit = start + kIcuPieceBytes;
    for (std::size_t at = limit; at > start + kIcuPieceBytes / 2; --at) {
        // Before a space: nothing of a word or a sentence looks across it to the left.
        if (is_space(text[at]) && static_cast<unsigned char>(text[at - 1]) < 0x80 && !is_space(text[at - 1])) return at;
    }
    std::size_t at = limit;
    while (at > start && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) --at;
    return at > start ? at : limit;
}

}  // namespace rag::core
