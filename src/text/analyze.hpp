// The analyzer of lexical search: text -> terms, the same for documents and queries, with the bytes each term stands for.
//   Latin and other alphabets: UAX #29 words, cut again at ' . _ and the like, NFKC case folding, Latin accents stripped (unless
//     the language is one whose stemmer reads them), stop words dropped, Snowball stems: by the language named, else by script
//     (Latin: English, Cyrillic: Russian, Greek, Arabic, Devanagari: Hindi, Armenian, Tamil). A word with a digit is no word of
//     a language and keeps its end.
//   Han and Kana: overlapping bigrams (Kwok 1997: as good as words, and no dictionary has to know them) and single characters, so
//     that a query of one character finds what holds it; Hangul: words and bigrams inside them; Thai, Lao, Khmer,
//     Burmese: dictionary words.
//   Numbers: as written, without the commas of thousands.
//   Signs (sign_terms.hpp): emoji; beside the word, "c++", "c#", ".net", "c++17"; beside their parts, codes as one ("ab123" of
//     AB-123, also in full width).
// Thread-safe: each thread keeps its stemmers and a memo of recent words: half a megabyte, and up to eight
// where a thread analyzes many texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// Where a term stands.
struct TermPlace {
    std::size_t start = 0;  // bytes [start, end) of the analyzed text
    std::size_t end = 0;
    std::uint32_t position = 0;  // number of the word or character, stop words counted; several terms may share one
    /// True of a term that another one at the same position holds too: a character of a run of Han, the first of joined emoji.
    /// Queries go without it.
    bool part = false;
    /// True of a code that its parts spell too, which are the terms within its bytes: "ab123" beside ab and 123 of AB-123. Where
    /// it is written without a sign it has no parts, and there is only the code.
    bool joined = false;
};

/// Takes the terms in order. `text` is valid during the call only.
class TermSink {
  public:
    virtual void term(std::string_view text, const TermPlace& place) = 0;

  protected:
    ~TermSink() = default;
};

/// What becomes of Han and Kana. kWords and kWordsAndBigrams (ICU's dictionary) are here to be measured.
enum class HanTerms : std::uint8_t { kBigrams, kBigramsAndCharacters, kWords, kWordsAndBigrams };

struct AnalyzerOptions {
    /// "auto" (also "en", "zh", "ja", "ko", "th" by their names or codes), "none" (no stems, no stop words), or a language of
    /// Snowball, which then holds for every word of its script.
    std::string language = "auto";
    /// 1: as in the first files of the index, without characters of Han and with the stop words of English alone. 2: without
    /// the terms of sign_terms.hpp. 3: words with digits are stemmed, and codes are not joined by dashes. 4: codes in full width
    /// are words and numbers alone. 5: now.
    int rules = 5;
    HanTerms han = HanTerms::kBigramsAndCharacters;  // rules 1: kBigrams, whatever this says
};

class Analyzer {
  public:
    struct Term {
        std::string text;
        std::size_t start = 0;
        std::size_t end = 0;
        std::uint32_t position = 0;
        bool part = false;
        bool joined = false;
    };

    /// kInvalidArgument: a language that is not known; lists them.
    explicit Analyzer(const std::string& language = "auto");
    explicit Analyzer(const AnalyzerOptions& options);

    void analyze(std::string_view utf8, TermSink& sink) const;
    /// Replaces the content of `out`.
    void analyze(std::string_view utf8, std::vector<Term>& out) const;
    /// What a word looks like before it is stemmed, for prefixes: folded, and cut where a term would be. No stop words here.
    std::string fold(std::string_view word) const;

    const std::string& language() const noexcept { return options_.language; }
    const AnalyzerOptions& options() const noexcept { return options_; }
    /// What has to be equal for two indexes to hold the same terms: "rules 5, icu 72.1, language auto".
    std::string version() const;

  private:
    AnalyzerOptions options_;
};

}  // namespace rag::core
