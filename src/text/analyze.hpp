// The analyzer of lexical search: text -> terms, the same for documents and queries, with the bytes each term stands for.
//   Latin and other alphabets: UAX #29 words, cut again at ' . _ and the like, NFKC case folding, Latin accents stripped (unless
//     the language is one whose stemmer reads them), English stop words dropped, Snowball stems: by the language named, else by
//     script (Latin: English, Cyrillic: Russian, Greek, Arabic, Devanagari: Hindi, Armenian, Tamil).
//   Han and Kana: overlapping bigrams, of a lone character the character (Kwok 1997, Nie and Ren 1999: bigrams as good as words;
//     on zh_faq_medical better, see docs of the benchmark); Hangul: words and bigrams inside them; Thai, Lao, Khmer, Burmese:
//     dictionary words.
//   Numbers: as written, without the commas of thousands.
// Thread-safe: each thread keeps its stemmers and a memo of some thousand recent words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rag::core {

/// Takes the terms in order. `text` is valid during the call only; [start, end) are bytes of the analyzed text.
class TermSink {
  public:
    virtual void term(std::string_view text, std::size_t start, std::size_t end) = 0;

  protected:
    ~TermSink() = default;
};

class Analyzer {
  public:
    struct Term {
        std::string text;
        std::size_t start = 0;
        std::size_t end = 0;
    };

    /// "auto" (also "en", "zh", "ja", "ko", "th" by their names or codes), "none" (no stems, no stop words), or a language of
    /// Snowball, which then holds for every word of its script. kInvalidArgument lists them.
    explicit Analyzer(const std::string& language = "auto");

    void analyze(std::string_view utf8, TermSink& sink) const;
    /// Replaces the content of `out`.
    void analyze(std::string_view utf8, std::vector<Term>& out) const;

    const std::string& language() const noexcept { return language_; }
    /// What has to be equal for two indexes to hold the same terms: "rules 1, icu 72.1, language auto".
    std::string version() const;

  private:
    std::string language_;
};

}  // namespace rag::core
