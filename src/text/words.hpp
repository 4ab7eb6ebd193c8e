// Word boundaries of Unicode text (UAX #29 with ICU's dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese), as byte
// offsets into UTF-8. ASCII stretches take a scanner of our own that equals ICU (a test compares them). Ill-formed bytes are no
// words and do not disturb their neighbours. Thread-safe. Not for tokens of a model: see tokenizer/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// A word-like segment: it holds a letter, a digit or an ideograph. Bytes [start, end).
struct Word {
    enum Kind : std::uint8_t {
        kWord,            // letters of an alphabet, digits among them allowed
        kNumber,          // digits and what joins them ("3.14", "1,000"), no letter
        kHan,             // begins with a Han ideograph
        kKana,            // begins with Hiragana or Katakana
        kHangul,          // begins with Hangul
        kSoutheastAsian,  // Thai, Lao, Khmer or Burmese, cut by dictionary
        kPicture          // no word: an emoji or the like, see sign_terms.hpp; only where asked for
    };
    std::size_t start = 0;
    std::size_t end = 0;
    Kind kind = kWord;
    bool joined = false;  // holds characters besides letters and digits: ' . _ : and the like
    bool ascii = false;
};

/// kDictionary: ICU's words. kRuns: every stretch of Han and Kana is one Word (kind of its first character), for callers that
/// make their own terms of it; it needs no dictionary and is some twenty times faster.
enum class CjkWords { kDictionary, kRuns };

/// Whether pictures stand among the words.
enum class Pictures { kLeftOut, kKept };

/// Replaces the content of `out` by the words of `utf8`, in order.
void segment_words(std::string_view utf8, std::vector<Word>& out, CjkWords cjk = CjkWords::kDictionary,
                   Pictures pictures = Pictures::kLeftOut);

/// The same by ICU alone, for tests and measurements: what the fast paths must equal.
void segment_words_reference(std::string_view utf8, std::vector<Word>& out, Pictures pictures = Pictures::kLeftOut);

std::size_t count_words(std::string_view utf8);

/// The ICU that runs, such as "72.1".
std::string icu_version();

}  // namespace rag::core
