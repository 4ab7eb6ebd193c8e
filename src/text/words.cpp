#include "text/words.hpp"

#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/uversion.h>

#include <array>
#include <bit>
#include <cstring>

#include "core/utf8.hpp"
#include "text/icu.hpp"
#include "text/scripts.hpp"
#include "text/sign_terms.hpp"

namespace rag::core {
namespace {

// Word_Break classes of ASCII as ICU's root rules see them. They differ from UAX #29: the colon joins nothing, and ICU 72 alone
// takes the at sign for a letter, so that it joins the parts of an address.
enum AsciiClass : std::uint8_t {
    kOther = 0,
    kLetter = 1,
    kDigit = 2,
    kUnderscore = 4,
    kMidNumber = 8,
    kMidBoth = 16,
    kSign = 32
};
constexpr unsigned kInWord = kLetter | kDigit | kUnderscore;

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> table{};
    for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = table[static_cast<std::size_t>(c - 32)] = kLetter;
    for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = kDigit;
    table['_'] = kUnderscore;
    table[','] = table[';'] = kMidNumber;
    table['.'] = table['\''] = kMidBoth;
#if U_ICU_VERSION_MAJOR_NUM == 72
    table['@'] = kLetter | kSign;
#endif
    return table;
}
constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

bool is_space(char byte) noexcept {
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

/// Appends the words of text[at, end), which is ASCII and is not joined to what follows.
void scan_ascii(std::string_view text, std::size_t at, std::size_t end, std::vector<Word>& out) {
    const auto class_at = [&](std::size_t i) {
        return i < end ? kClasses[static_cast<unsigned char>(text[i])] : std::uint8_t{kOther};
    };
    while (at < end) {
        if ((class_at(at) & kInWord) == 0) {
            ++at;
            continue;
        }
        Word word{at, at, Word::kWord, false, true};
        unsigned seen = 0;
        for (;;) {
            unsigned last = 0;
            unsigned here = 0;
            while (((here = class_at(at)) & kInWord) != 0) {
                seen |= (here & kSign) != 0 ? unsigned{kSign} : here;
                last = here;
                ++at;
            }
            const bool letters = here == kMidBoth && (last & kLetter) != 0 && (class_at(at + 1) & kLetter) != 0;
            const bool digits = (here & (kMidBoth | kMidNumber)) != 0 && last == kDigit && class_at(at + 1) == kDigit;
            if (!letters && !digits) break;
            seen |= here;
            ++at;
        }
        word.end = at;
        word.joined = (seen & (kUnderscore | kMidNumber | kMidBoth | kSign)) != 0;
        if ((seen & kLetter) == 0) word.kind = Word::kNumber;
        if ((seen & (kLetter | kDigit)) != 0) out.push_back(word);
    }
}

/// What kind of word the segment is, or false if it is none.
bool classify(const Utf16Text& text, std::int32_t start, std::int32_t end, Word& word) {
    bool letter = false;
    bool digit = false;
    word.ascii = true;
    for (std::int32_t i = start; i < end;) {
        const char16_t* units = text.units.data();
        UChar32 value = 0;
        U16_NEXT(units, i, end, value);
        word.ascii = word.ascii && value < 0x80;
        const bool is_digit = u_charType(value) == U_DECIMAL_DIGIT_NUMBER;
        const bool is_letter = !is_digit && (u_hasBinaryProperty(value, UCHAR_ALPHABETIC) || u_isalnum(value));
        if (!is_digit && !is_letter && !(letter && (U_GET_GC_MASK(value) & U_GC_M_MASK) != 0)) word.joined = true;
        if (is_letter && !letter) word.kind = kind_of(static_cast<char32_t>(value));
        letter = letter || is_letter;
        digit = digit || is_digit;
    }
    if (!letter) word.kind = Word::kNumber;
    return letter || digit;
}

/// Appends ICU's words of text[start, end).
void scan_icu(std::string_view text, std::size_t start, std::size_t end, Pictures pictures, std::vector<Word>& out) {
    UBreakIterator* iterator = word_iterator();
    Utf16Text& buffer = utf16_buffer();
    while (start < end) {
        const std::size_t stop = piece_end(text.substr(0, end), start);
        buffer.assign(text.substr(start, stop - start));
        UErrorCode code = U_ZERO_ERROR;
        ubrk_setText(iterator, buffer.units.data(), buffer.size(), &code);
        check_icu(code, "ubrk_setText");
        std::int32_t from = ubrk_first(iterator);
        for (std::int32_t to = ubrk_next(iterator); to != UBRK_DONE; from = to, to = ubrk_next(iterator)) {
            Word word{start + buffer.offsets[static_cast<std::size_t>(from)],
                      start + buffer.offsets[static_cast<std::size_t>(to)]};
            if (classify(buffer, from, to, word)) {
                out.push_back(word);
            } else if (pictures == Pictures::kKept && is_pictograph(decode_utf8(text, word.start).value)) {
                out.push_back({word.start, word.end, Word::kPicture, false, false});
            }
        }
        start = stop;
    }
}

std::size_t find_non_ascii(std::string_view text, std::size_t at) noexcept {
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, text.data() + at, 8);
        if ((bytes & 0x8080808080808080ULL) != 0) break;
    }
    while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
    return at;
}

/// End of a stretch of Han and Kana that begins at `at`, with the marks that belong to it.
std::size_t cjk_run_end(std::string_view text, std::size_t at) noexcept {
    while (at < text.size()) {
        const Utf8Step step = decode_utf8(text, at);
        if (!step.valid || !(is_cjk(step.value) || is_cjk_mark(step.value))) break;
        at += step.length;
    }
    return at;
}

/// Where ICU has to stop that began at `at`: before white space that ASCII follows, or, if runs are wanted, before Han or Kana.
std::size_t icu_stretch_end(std::string_view text, std::size_t at, CjkWords cjk) noexcept {
    while (at < text.size()) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if (byte < 0x80) {
            if (is_space(text[at]) && (at + 1 == text.size() || static_cast<unsigned char>(text[at + 1]) < 0x80)) return at;
            ++at;
            continue;
        }
        const Utf8Step step = decode_utf8(text, at);
        if (cjk == CjkWords::kRuns && is_cjk(step.value)) return at;
        at += step.length;
    }
    return at;
}

}  // namespace

// Text is cut where UAX #29 never joins: at ASCII white space that no combining mark follows, and (kRuns) beside Han and Kana.
// What lies between goes to the ASCII scanner, or, if it holds other characters, to ICU.
void segment_words(std::string_view utf8, std::vector<Word>& out, CjkWords cjk, Pictures pictures) {
    out.clear();
    std::size_t at = 0;
    while (at < utf8.size()) {
        const std::size_t foreign = find_non_ascii(utf8, at);
        if (foreign == utf8.size()) {
            scan_ascii(utf8, at, foreign, out);
            return;
        }
        const Utf8Step step = decode_utf8(utf8, foreign);
        if (cjk == CjkWords::kRuns && (is_cjk(step.value) || is_cjk_punctuation(step.value))) {
            scan_ascii(utf8, at, foreign, out);
            at = foreign + step.length;
            if (is_cjk(step.value)) {
                at = cjk_run_end(utf8, at);
                out.push_back({foreign, at, kind_of(step.value), false, false});
            }
            continue;
        }
        std::size_t start = foreign;
        while (start > at && !is_space(utf8[start - 1])) --start;
        if (start > at) --start;  // with the space, because a mark may sit on it
        scan_ascii(utf8, at, start, out);
        at = icu_stretch_end(utf8, foreign, cjk);
        scan_icu(utf8, start, at, pictures, out);
    }
}

void segment_words_reference(std::string_view utf8, std::vector<Word>& out, Pictures pictures) {
    out.clear();
    scan_icu(utf8, 0, utf8.size(), pictures, out);
}

std::size_t count_words(std::string_view utf8) {
    thread_local std::vector<Word> words;
    segment_words(utf8, words);
    return words.size();
}

std::string icu_version() {
    UVersionInfo version;
    u_getVersion(version);
    return std::to_string(version[0]) + "." + std::to_string(version[1]);
}

}  // namespace rag::core
