#include "text/analyze.hpp"

#include <unicode/uscript.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/fold.hpp"
#include "text/scripts.hpp"
#include "text/small_bytes.hpp"
#include "text/stem.hpp"
#include "text/words.hpp"

namespace rag::core {
namespace {

/// Raised with every change of terms that is not ICU's; the analyzer keeps speaking the older ones.
constexpr int kRules = 2;
constexpr std::size_t kMaxTermBytes = 128;

/// One remembered word: what it folds and stems to (nothing: a stop word). One line of the cache.
struct alignas(64) MemoEntry {
    static constexpr std::size_t kBytes = 31;
    std::uint8_t word_size = 0;
    std::uint8_t term_size = 0;
    std::array<char, kBytes> word;
    std::array<char, kBytes> term;
};

// Half a megabyte a thread and language at first; after so many misses that a larger one would have paid, up to eight.
constexpr std::size_t kFirstMemo = 8192;
constexpr std::size_t kLargestMemo = 131072;
constexpr std::size_t kMissesToGrow = 2;  // times the entries
/// The memo's line of a word is fetched while the words before it are looked up.
constexpr std::size_t kAhead = 8;

std::uint64_t hash_word(std::string_view word) noexcept {
    std::uint64_t hash = 0x9E3779B97F4A7C15ULL * (word.size() + 1);
    const char* at = word.data();
    std::size_t left = word.size();
    for (; left >= 8; left -= 8, at += 8) {
        hash = (hash ^ load_bytes<std::uint64_t>(at)) * 0xD6E8FEB86659FD93ULL;
        hash ^= hash >> 32;
    }
    hash = (hash ^ load_short(at, left)) * 0xD6E8FEB86659FD93ULL;
    return hash ^ (hash >> 29);
}

std::string_view cut_term(std::string_view term) noexcept {
    if (term.size() <= kMaxTermBytes) return term;
    std::size_t end = kMaxTermBytes;
    while (end > 0 && (static_cast<unsigned char>(term[end]) & 0xC0U) == 0x80U) --end;
    return term.substr(0, end);
}

const char* stemmer_of_script(UScriptCode script) noexcept {
    switch (script) {
        case USCRIPT_LATIN:
            return "english";
        case USCRIPT_CYRILLIC:
            return "russian";
        case USCRIPT_GREEK:
            return "greek";
        case USCRIPT_ARABIC:
            return "arabic";
        case USCRIPT_DEVANAGARI:
            return "hindi";
        case USCRIPT_ARMENIAN:
            return "armenian";
        case USCRIPT_TAMIL:
            return "tamil";
        default:
            return nullptr;
    }
}

bool is_english(const std::string& language) noexcept {
    return language == "auto" || language == "english";
}

/// `word` as words are compared: case and compatibility forms gone, Latin accents too where the stemmer does not read them.
void fold_word(std::string_view word, bool ascii, const std::string& language, std::string& out) {
    if (!ascii) return fold_text(word, is_english(language) || language == "none", out);
    out.assign(word);
    for (char& byte : out) byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
}

/// A thread's own part of an analyzer of one language.
class ThreadState {
  public:
    ThreadState(const std::string& language, int rules) : language_(language), memo_(kFirstMemo) {
        if (language != "auto" && language != "none") named_ = std::make_unique<Stemmer>(language);
        if (language == "auto" || language == "english") stop_words_ = stop_words_of("english");
        if (rules >= 2 && named_ && language != "english") stop_words_ = stop_words_of(language);
        if (rules >= 2 && language == "auto") russian_stop_words_ = stop_words_of("russian");
    }

    /// Makes the line of a word ready whose term will be asked for soon.
    void prefetch(std::string_view word) const noexcept { __builtin_prefetch(&memo_[hash_word(word) & (memo_.size() - 1)]); }

    /// The term of one word without joiners; empty if it is none. Valid until the next call.
    std::string_view term_of(std::string_view word, bool ascii, bool number) {
        if (word.size() > MemoEntry::kBytes) return compute(word, ascii, number);
        MemoEntry& entry = memo_[hash_word(word) & (memo_.size() - 1)];
        if (entry.word_size != word.size() || !equal_bytes(entry.word.data(), word.data(), word.size())) {
            const std::string_view term = compute(word, ascii, number);
            if (++misses_ > memo_.size() * kMissesToGrow && memo_.size() < kLargestMemo) {
                misses_ = 0;
                memo_.assign(memo_.size() * 4, {});
                return term;
            }
            if (term.size() > MemoEntry::kBytes) return term;
            entry.word_size = static_cast<std::uint8_t>(word.size());
            entry.term_size = static_cast<std::uint8_t>(term.size());
            std::memcpy(entry.word.data(), word.data(), word.size());
            std::memcpy(entry.term.data(), term.data(), term.size());
        }
        return {entry.term.data(), entry.term_size};
    }

    std::vector<Word> words;
    std::vector<std::uint32_t> ends;  // of code points in a run
    std::string folded;

  private:
    std::string_view compute(std::string_view word, bool ascii, bool number) {
        fold_word(word, ascii, language_, text_);
        if (number || text_.empty()) return cut_term(text_);
        if (stop_words_ != nullptr && stop_words_->contains(text_)) return "";
        if (russian_stop_words_ != nullptr && !ascii && russian_stop_words_->contains(text_)) return "";
        if (text_.size() > kMaxTermBytes) return cut_term(text_);
        Stemmer* stemmer = stemmer_for(text_);
        return stemmer == nullptr ? std::string_view(text_) : cut_term(stemmer->stem(text_));
    }

    Stemmer* stemmer_for(std::string_view word) {
        if (language_ == "none") return nullptr;
        if (named_) return named_.get();
        if (static_cast<unsigned char>(word[0]) < 0x80) {
            if (!english_) english_ = std::make_unique<Stemmer>("english");
            return english_.get();
        }
        UErrorCode code = U_ZERO_ERROR;
        const char* name = stemmer_of_script(uscript_getScript(static_cast<UChar32>(decode_utf8(word, 0).value), &code));
        if (name == nullptr) return nullptr;
        auto& slot = by_script_[name];
        if (!slot) slot = std::make_unique<Stemmer>(name);
        return slot.get();
    }

    std::string language_;
    const StopWords* stop_words_ = nullptr;
    const StopWords* russian_stop_words_ = nullptr;  // of Cyrillic words where scripts decide
    std::vector<MemoEntry> memo_;                    // a power of two
    std::size_t misses_ = 0;
    std::unique_ptr<Stemmer> named_;
    std::unique_ptr<Stemmer> english_;  // of ASCII words where scripts decide
    std::unordered_map<std::string_view, std::unique_ptr<Stemmer>> by_script_;
    std::string text_;
};

ThreadState& thread_state(const std::string& language, int rules) {
    thread_local std::array<std::unordered_map<std::string, std::unique_ptr<ThreadState>>, kRules> states;
    auto& slot = states.at(static_cast<std::size_t>(rules) - 1)[language];
    if (!slot) slot = std::make_unique<ThreadState>(language, rules);
    return *slot;
}

/// One analysis: a text, its thread's state, and where the terms go.
class Pass {
  public:
    Pass(std::string_view text, ThreadState& state, TermSink& sink, HanTerms han)
        : text_(text), state_(state), sink_(sink), han_(han) {}

    void word(const Word& word) {
        if (word.kind == Word::kHan || word.kind == Word::kKana) {
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

    /// A word of the dictionary beside the bigrams of its run, among which those of two characters are already.
    void dictionary_word(const Word& word) {
        if (word.kind != Word::kHan && word.kind != Word::kKana) return;
        std::size_t count = 0;
        for (std::size_t at = word.start; at < word.end; ++count) at += decode_utf8(text_, at).length;
        if (count != 2) emit(word.start, word.end, false, false);
    }

  private:
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
    std::uint32_t position_ = 0;
    std::string plain_;
};

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
    if (options.rules < 1 || options.rules > kRules) {
        fail(Code::kInvalidArgument, "no rules {} of the analyzer; there are 1 to {}", options.rules, kRules);
    }
    options_.language = canonical_language(options.language);
    if (options.rules == 1) options_.han = HanTerms::kBigrams;
}

void Analyzer::analyze(std::string_view utf8, TermSink& sink) const {
    ThreadState& state = thread_state(options_.language, options_.rules);
    Pass pass(utf8, state, sink, options_.han);
    segment_words(utf8, state.words, options_.han == HanTerms::kWords ? CjkWords::kDictionary : CjkWords::kRuns);
    for (std::size_t i = 0; i < state.words.size(); ++i) {
        if (i + kAhead < state.words.size() && state.words[i + kAhead].ascii) {
            const Word& later = state.words[i + kAhead];
            state.prefetch(utf8.substr(later.start, later.end - later.start));
        }
        pass.word(state.words[i]);
    }
    if (options_.han != HanTerms::kWordsAndBigrams) return;
    segment_words(utf8, state.words, CjkWords::kDictionary);
    for (const Word& word : state.words) pass.dictionary_word(word);
}

void Analyzer::analyze(std::string_view utf8, std::vector<Term>& out) const {
    class Collect final : public TermSink {
      public:
        explicit Collect(std::vector<Term>& terms) : terms_(terms) {}
        void term(std::string_view text, const TermPlace& place) override {
            terms_.push_back({std::string(text), place.start, place.end, place.position, place.part});
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
