#include "text/analyze.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/fold.hpp"
#include "text/scripts.hpp"
#include "text/sign_terms.hpp"
#include "text/stem.hpp"
#include "text/term_state.hpp"
#include "text/words.hpp"

namespace rag::core {
namespace {

/// The memo's line of a word is fetched while the words before it are looked up.
constexpr std::size_t kAhead = 8;
/// Words of so much text are found at a time.
constexpr std::size_t kPieceBytes = std::size_t{1} << 18;

/// One analysis: a text, its thread's state, and where the terms go.
class Pass {
  public:
    Pass(std::string_view text, ThreadState& state, TermSink& sink, const AnalyzerOptions& options)
        : text_(text), state_(state), sink_(sink), han_(options.han), rules_(options.rules) {}

    void word(const Word& word) {
        const bool name = rules_ >= 3 && word.ascii && word.kind == Word::kWord;
        if (name && has_dot(text_, word.start)) dotted(word);
        if (rules_ >= 4 && word.ascii) numbered(word);
        plain_word(word);
        if (name) signed_word(word);
    }

    /// Words that are joined to a code, behind the last of them.
    void code(std::size_t start, std::size_t end) {
        fold_code(text_.substr(start, end - start), plain_);
        sink_.term(cut_term(plain_), {start, end, position_ - 1, false, true});
    }

    /// A word of the dictionary beside the bigrams of its run, among which those of two characters are already.
    void dictionary_word(const Word& word) {
        if (word.kind != Word::kHan && word.kind != Word::kKana) return;
        std::size_t count = 0;
        for (std::size_t at = word.start; at < word.end; ++count) at += decode_utf8(text_, at).length;
        if (count != 2) emit(word.start, word.end, false, false);
    }

  private:
    void plain_word(const Word& word) {
        if (word.kind == Word::kPicture) {
            picture(word);
        } else if (word.kind == Word::kHan || word.kind == Word::kKana) {
            characters(word);
        } else if (word.kind == Word::kNumber && word.joined) {
            number(word);
        } else if (word.joined) {
            parts(word);
        } else {
            emit(word.start, word.end, word.ascii, word.kind == Word::kNumber);
            if (word.kind != Word::kHangul) return;
            --position_;  // the bigrams of a word of Hangul stand where it stands
            if (pairs(word, 3, false) == 0) ++position_;
        }
    }

    void picture(const Word& word) {
        fold_pictograph(text_.substr(word.start, word.end - word.start), plain_);
        const std::string_view first = first_of_pictographs(plain_);
        sink_.term(cut_term(plain_), {word.start, word.end, position_, false});
        if (!first.empty()) sink_.term(cut_term(first), {word.start, word.end, position_, true});
        ++position_;
    }

    std::size_t first_part_end(const Word& word) const {
        std::size_t end = word.start;
        while (end < word.end && !is_joiner(static_cast<unsigned char>(text_[end]))) ++end;
        return end;
    }

    /// ".NET" where NET stands.
    void dotted(const Word& word) { name(word.start - 1, first_part_end(word), position_); }

    /// "C++17" where 17 stands.
    void numbered(const Word& word) {
        if (word.start == 0 || (text_[word.start - 1] != '+' && text_[word.start - 1] != '#')) return;
        const std::size_t start = numbered_name(text_, word.start);
        if (start < word.start) name(start, first_part_end(word), position_);
    }

    /// "C++" where C stands: behind the last part of a word.
    void signed_word(const Word& word) {
        if (word.end == text_.size() || (text_[word.end] != '+' && text_[word.end] != '#')) return;
        std::size_t start = word.end;
        while (start > word.start && !is_joiner(static_cast<unsigned char>(text_[start - 1]))) --start;
        const std::size_t end = name_end(text_, start, word.end, rules_);
        if (end > word.end && start < word.end) name(start, end, position_ - 1);
    }

    void name(std::size_t start, std::size_t end, std::uint32_t position) {
        fold_word(text_.substr(start, end - start), true, {}, plain_);
        sink_.term(cut_term(plain_), {start, end, position, false});
    }

    void emit(std::size_t start, std::size_t end, bool ascii, bool is_number) {
        const std::string_view term = state_.term_of(text_.substr(start, end - start), ascii, is_number);
        if (!term.empty()) sink_.term(term, {start, end, position_, false});
        ++position_;
    }

    /// Han and Kana: a run of characters, or one word of the dictionary.
    void characters(const Word& word) {
        if (han_ == HanTerms::kWords) {
            emit(word.start, word.end, false, false);
        } else {
            pairs(word, 1, han_ == HanTerms::kBigramsAndCharacters);
        }
    }

    /// "1,234.5" is "1234.5"; "1;2" is two numbers.
    void number(const Word& word) {
        std::size_t start = word.start;
        plain_.clear();
        for (std::size_t at = word.start; at <= word.end; ++at) {
            const char byte = at < word.end ? text_[at] : ';';
            const bool digit = (byte >= '0' && byte <= '9') || static_cast<unsigned char>(byte) >= 0x80;
            if (!digit && byte != '.' && byte != ',') {
                if (!plain_.empty()) {
                    sink_.term(cut_term(state_.term_of(plain_, word.ascii, true)), {start, at, position_++, false});
                }
                plain_.clear();
                start = at + 1;
            } else if (byte != ',') {
                plain_ += byte;
            }
        }
    }

    /// Cuts at the characters inside a word that are neither letter nor digit; "'s", "n't" and the like lose their tail.
    void parts(const Word& word) {
        std::size_t start = word.start;
        bool after_apostrophe = false;
        for (std::size_t at = word.start; at <= word.end;) {
            const Utf8Step step = at < word.end ? decode_utf8(text_, at) : Utf8Step{U'.', 1, true};
            if (!is_joiner(step.value)) {
                at += step.length;
                continue;
            }
            const bool is_tail = after_apostrophe && is_contraction(text_.substr(start, at - start));
            if (at > start && !is_tail) emit(start, at, word.ascii, is_digits(start, at));
            after_apostrophe = step.value == U'\'' || step.value == 0x2019 || step.value == 0xFF07;
            at += step.length;
            start = at;
        }
    }

    static bool is_joiner(char32_t value) noexcept {
        if (value < 0x80) return !((value >= '0' && value <= '9') || ((value | 32U) >= 'a' && (value | 32U) <= 'z'));
        return value == 0x2019 || value == 0x2018 || value == 0xB7 || value == 0x2024 || value == 0x2027 || value == 0x203F ||
               value == 0x2040 || value == 0x202F || value == 0xFF07 || value == 0xFF0E || value == 0xFF3F || value == 0x387 ||
               value == 0x55F || value == 0x5F4 || value == 0xFE52 || value == 0xFE55 || value == 0xFF1A;
    }
    static bool is_contraction(std::string_view tail) noexcept {
        constexpr std::array<std::string_view, 8> kTails{"s", "t", "d", "m", "re", "ve", "ll", "S"};
        return std::find(kTails.begin(), kTails.end(), tail) != kTails.end();
    }
    bool is_digits(std::size_t start, std::size_t end) const noexcept {
        for (std::size_t at = start; at < end; ++at) {
            if (text_[at] < '0' || text_[at] > '9') return false;
        }
        return true;
    }

    /// Overlapping pairs of the run's characters, and the characters if wanted; a run shorter than `least` characters is left
    /// alone, of a single one the character is the term. Gives the number of characters that got a position.
    std::size_t pairs(const Word& word, std::size_t least, bool singles) {
        std::string_view run = text_.substr(word.start, word.end - word.start);
        const bool changed = needs_folding(run);
        if (changed) {
            fold_text(run, false, state_.folded);
            run = state_.folded;
        }
        std::vector<std::uint32_t>& ends = state_.ends;
        ends.assign(1, 0);
        for (std::size_t at = 0; at < run.size(); ends.push_back(static_cast<std::uint32_t>(at)))
            at += decode_utf8(run, at).length;
        const std::size_t count = ends.size() - 1;
        if (count < least) return 0;
        // Where folding changed characters, a term stands for the whole run: the bytes of one character are not known any more.
        const auto give = [&](std::size_t first, std::size_t last, bool part) {
            const std::string_view term = run.substr(ends[first], ends[last] - ends[first]);
            TermPlace place{word.start, word.end, position_ + static_cast<std::uint32_t>(first), part};
            if (!changed) {
                place.start = word.start + ends[first];
                place.end = word.start + ends[last];
            }
            sink_.term(term, place);
        };
        if (count == 1) give(0, 1, false);
        for (std::size_t i = 0; i + 2 <= count; ++i) {
            give(i, i + 2, false);
            if (singles) give(i, i + 1, true);
        }
        if (singles && count > 1) give(count - 1, count, true);
        position_ += static_cast<std::uint32_t>(count);
        return count;
    }

    /// Ideographs of the main block and Kana proper are their own folded form.
    static bool needs_folding(std::string_view run) noexcept {
        for (std::size_t at = 0; at < run.size();) {
            const Utf8Step step = decode_utf8(run, at);
            const bool plain = (step.value >= 0x4E00 && step.value <= 0x9FFF) || (step.value >= 0x3041 && step.value <= 0x3096) ||
                               (step.value >= 0x30A1 && step.value <= 0x30FE && step.value != 0x30FB) ||
                               (step.value >= 0x3400 && step.value <= 0x4DBF) || step.value == 0x3005 || step.value == 0x3007 ||
                               (step.value >= 0xAC00 && step.value <= 0xD7A3);
            if (!plain) return true;
            at += step.length;
        }
        return false;
    }

    std::string_view text_;
    ThreadState& state_;
    TermSink& sink_;
    HanTerms han_;
    int rules_;
    std::uint32_t position_ = 0;
    std::string plain_;
};

/// Where the words of text[start, ...) may be taken for themselves: behind white space that ASCII follows, so that a text of
/// megabytes reaches the sink, which may look at its caller, in pieces.
std::size_t words_end(std::string_view text, std::size_t start) noexcept {
    if (text.size() - start <= kPieceBytes) return text.size();
    for (std::size_t at = start + kPieceBytes; at + 1 < text.size(); ++at) {
        const bool space = text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r';
        if (space && static_cast<unsigned char>(text[at + 1]) < 0x80) return at + 1;
    }
    return text.size();
}

void analyze_words(std::string_view text, Pass& pass, const std::vector<Word>& words, const ThreadState& state, int rules) {
    JoinedWords joined;
    std::size_t next = 0;  // the word behind those
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i + kAhead < words.size() && words[i + kAhead].ascii) {
            const Word& later = words[i + kAhead];
            state.prefetch(text.substr(later.start, later.end - later.start));
        }
        if (rules >= 3 && i == next) {
            joined = find_joined(text, std::span(words).subspan(i), rules);
            next = i + joined.count;
        }
        pass.word(words[i]);
        if (joined.is_code && i + 1 == next) pass.code(words[next - joined.count].start, words[i].end);
    }
}

std::string canonical_language(const std::string& language) {
    if (language == "en") return "english";
    for (const std::string_view same : {"", "zh", "chinese", "ja", "japanese", "ko", "korean", "th", "thai"}) {
        if (language == same) return "auto";
    }
    if (language != "auto" && language != "none" && !Stemmer::knows(language)) Stemmer{language};  // throws with the list
    return language;
}

}  // namespace

Analyzer::Analyzer(const std::string& language) : Analyzer(AnalyzerOptions{language}) {}

Analyzer::Analyzer(const AnalyzerOptions& options) : options_(options) {
    if (options.rules < 1 || options.rules > kAnalyzerRules) {
        fail(Code::kInvalidArgument, "no rules {} of the analyzer; there are 1 to {}", options.rules, kAnalyzerRules);
    }
    options_.language = canonical_language(options.language);
    if (options.rules == 1) options_.han = HanTerms::kBigrams;
}

void Analyzer::analyze(std::string_view utf8, TermSink& sink) const {
    const StateLease lease(options_.language, options_.rules);
    std::vector<Word>& words = (*lease).words;
    Pass pass(utf8, *lease, sink, options_);
    for (std::size_t start = 0; start < utf8.size();) {
        const std::size_t end = words_end(utf8, start);
        segment_words(utf8.substr(start, end - start), words,
                      options_.han == HanTerms::kWords ? CjkWords::kDictionary : CjkWords::kRuns,
                      options_.rules >= 3 ? Pictures::kKept : Pictures::kLeftOut);
        for (Word& word : words) {
            word.start += start;
            word.end += start;
        }
        analyze_words(utf8, pass, words, *lease, options_.rules);
        start = end;
    }
    if (options_.han != HanTerms::kWordsAndBigrams) return;
    segment_words(utf8, words, CjkWords::kDictionary);
    for (const Word& word : words) pass.dictionary_word(word);
}

void Analyzer::analyze(std::string_view utf8, std::vector<Term>& out) const {
    class Collect final : public TermSink {
      public:
        explicit Collect(std::vector<Term>& terms) : terms_(terms) {}
        void term(std::string_view text, const TermPlace& place) override {
            terms_.push_back({std::string(text), place.start, place.end, place.position, place.part, place.joined});
        }

      private:
        std::vector<Term>& terms_;
    };
    out.clear();
    Collect collect(out);
    analyze(utf8, collect);
}

std::string Analyzer::fold(std::string_view word) const {
    std::string out;
    fold_word(word, false, options_.language, out);
    return std::string(cut_term(out));
}

std::string Analyzer::version() const {
    constexpr std::array<std::string_view, 4> kHan{"", "", ", han words", ", han words and bigrams"};
    return fmt::format("rules {}, icu {}, language {}{}", options_.rules, icu_version(), options_.language,
                       kHan.at(static_cast<std::size_t>(options_.han)));
}

}  // namespace rag::core
