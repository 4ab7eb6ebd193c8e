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

/// Raised with every change of terms that is not ICU's.
constexpr int kRules = 1;
constexpr std::size_t kMaxTermBytes = 128;

/// One remembered word: what it folds and stems to (nothing: a stop word).
struct MemoEntry {
    static constexpr std::size_t kBytes = 31;
    std::uint8_t word_size = 0;
    std::uint8_t term_size = 0;
    std::array<char, kBytes> word;
    std::array<char, kBytes> term;
};

constexpr std::size_t kMemoEntries = 8192;

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

/// A thread's own part of an analyzer of one language.
class ThreadState {
  public:
    explicit ThreadState(const std::string& language) : language_(language), memo_(kMemoEntries) {
        if (language != "auto" && language != "none") named_ = std::make_unique<Stemmer>(language);
    }

    /// The term of one word without joiners; empty if it is none. Valid until the next call.
    std::string_view term_of(std::string_view word, bool ascii, bool number) {
        if (word.size() > MemoEntry::kBytes) return compute(word, ascii, number);
        MemoEntry& entry = memo_[hash_word(word) % kMemoEntries];
        if (entry.word_size != word.size() || !equal_bytes(entry.word.data(), word.data(), word.size())) {
            const std::string_view term = compute(word, ascii, number);
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
        if (ascii) {
            text_.assign(word);
            for (char& byte : text_) byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
        } else {
            fold_text(word, is_english(language_) || language_ == "none", text_);
        }
        if (number || text_.empty()) return cut_term(text_);
        if (is_english(language_) && is_english_stop_word(text_)) return "";
        if (text_.size() > kMaxTermBytes) return cut_term(text_);
        Stemmer* stemmer = stemmer_for(text_);
        return stemmer == nullptr ? std::string_view(text_) : cut_term(stemmer->stem(text_));
    }

    Stemmer* stemmer_for(std::string_view word) {
        if (language_ == "none") return nullptr;
        if (named_) return named_.get();
        const char* name = "english";
        if (static_cast<unsigned char>(word[0]) >= 0x80) {
            UErrorCode code = U_ZERO_ERROR;
            name = stemmer_of_script(uscript_getScript(static_cast<UChar32>(decode_utf8(word, 0).value), &code));
        }
        if (name == nullptr) return nullptr;
        auto& slot = by_script_[name];
        if (!slot) slot = std::make_unique<Stemmer>(name);
        return slot.get();
    }

    std::string language_;
    std::vector<MemoEntry> memo_;
    std::unique_ptr<Stemmer> named_;
    std::unordered_map<std::string_view, std::unique_ptr<Stemmer>> by_script_;
    std::string text_;
};

ThreadState& thread_state(const std::string& language) {
    thread_local std::unordered_map<std::string, std::unique_ptr<ThreadState>> states;
    auto& slot = states[language];
    if (!slot) slot = std::make_unique<ThreadState>(language);
    return *slot;
}

/// One analysis: a text, its thread's state, and where the terms go.
class Pass {
  public:
    Pass(std::string_view text, ThreadState& state, TermSink& sink) : text_(text), state_(state), sink_(sink) {}

    void word(const Word& word) {
        if (word.kind == Word::kHan || word.kind == Word::kKana) {
            bigrams(word, 1);
        } else if (word.kind == Word::kNumber && word.joined) {
            number(word);
        } else if (word.joined) {
            parts(word);
        } else {
            emit(word.start, word.end, word.ascii, word.kind == Word::kNumber);
            if (word.kind == Word::kHangul) bigrams(word, 3);
        }
    }

  private:
    void emit(std::size_t start, std::size_t end, bool ascii, bool is_number) {
        const std::string_view term = state_.term_of(text_.substr(start, end - start), ascii, is_number);
        if (!term.empty()) sink_.term(term, start, end);
    }

    /// "1,234.5" is "1234.5"; "1;2" is two numbers.
    void number(const Word& word) {
        std::size_t start = word.start;
        plain_.clear();
        for (std::size_t at = word.start; at <= word.end; ++at) {
            const char byte = at < word.end ? text_[at] : ';';
            const bool digit = (byte >= '0' && byte <= '9') || static_cast<unsigned char>(byte) >= 0x80;
            if (!digit && byte != '.' && byte != ',') {
                if (!plain_.empty()) sink_.term(cut_term(state_.term_of(plain_, word.ascii, true)), start, at);
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

    /// Overlapping pairs of the run's characters; a run shorter than `least` characters is left alone unless it is a single one.
    void bigrams(const Word& word, std::size_t least) {
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
        if (count < least) return;
        // Where folding changed characters, a term stands for the whole run: the bytes of one character are not known any more.
        const auto give = [&](std::size_t first, std::size_t last) {
            const std::string_view term = run.substr(ends[first], ends[last] - ends[first]);
            sink_.term(term, changed ? word.start : word.start + ends[first], changed ? word.end : word.start + ends[last]);
        };
        if (count == 1) give(0, 1);
        for (std::size_t i = 0; i + 2 <= count; ++i) give(i, i + 2);
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

Analyzer::Analyzer(const std::string& language) : language_(canonical_language(language)) {}

void Analyzer::analyze(std::string_view utf8, TermSink& sink) const {
    ThreadState& state = thread_state(language_);
    Pass pass(utf8, state, sink);
    segment_words(utf8, state.words, CjkWords::kRuns);
    for (const Word& word : state.words) pass.word(word);
}

void Analyzer::analyze(std::string_view utf8, std::vector<Term>& out) const {
    class Collect final : public TermSink {
      public:
        explicit Collect(std::vector<Term>& terms) : terms_(terms) {}
        void term(std::string_view text, std::size_t start, std::size_t end) override {
            terms_.push_back({std::string(text), start, end});
        }

      private:
        std::vector<Term>& terms_;
    };
    out.clear();
    Collect collect(out);
    analyze(utf8, collect);
}

std::string Analyzer::version() const {
    return fmt::format("rules {}, icu {}, language {}", kRules, icu_version(), language_);
}

}  // namespace rag::core
