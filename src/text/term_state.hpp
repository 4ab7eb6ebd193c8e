// What a thread keeps of the analyzer: stemmers, a memo of recent words, and room to work in. For analyze.cpp alone.
// Thread rule: each thread has its own.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/small_bytes.hpp"
#include "text/stem.hpp"
#include "text/stop_words.hpp"
#include "text/words.hpp"

namespace rag::core {

/// Raised with every change of terms that is not ICU's; the analyzer keeps speaking the older ones.
inline constexpr int kAnalyzerRules = 5;
inline constexpr std::size_t kMaxTermBytes = 128;

/// One remembered word: what it folds and stems to (nothing: a stop word). One line of the cache.
struct alignas(64) MemoEntry {
    static constexpr std::size_t kBytes = 31;
    std::uint8_t word_size = 0;
    std::uint8_t term_size = 0;
    std::array<char, kBytes> word;
    std::array<char, kBytes> term;
};

// Half a megabyte a thread and language at first; after so many misses that a larger one would have paid, up to eight.
inline constexpr std::size_t kFirstMemo = 8192;
inline constexpr std::size_t kLargestMemo = 131072;
inline constexpr std::size_t kMissesToGrow = 2;  // times the entries
inline std::uint64_t hash_word(std::string_view word) noexcept {
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

/// At most kMaxTermBytes of it, cut between two characters.
std::string_view cut_term(std::string_view term) noexcept;

/// `word` as words are compared: case and compatibility forms gone, Latin accents too where the stemmer does not read them.
void fold_word(std::string_view word, bool ascii, const std::string& language, std::string& out);

/// A thread's own part of an analyzer of one language.
class ThreadState {
  public:
    ThreadState(const std::string& language, int rules);

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
    bool in_use = false;

  private:
    std::string_view compute(std::string_view word, bool ascii, bool number);
    Stemmer* stemmer_for(std::string_view word);

    std::string language_;
    int rules_;
    const StopWords* stop_words_ = nullptr;
    const StopWords* russian_stop_words_ = nullptr;  // of Cyrillic words where scripts decide
    std::vector<MemoEntry> memo_;                    // a power of two
    std::size_t misses_ = 0;
    std::unique_ptr<Stemmer> named_;
    std::unique_ptr<Stemmer> english_;  // of ASCII words where scripts decide
    std::unordered_map<std::string_view, std::unique_ptr<Stemmer>> by_script_;
    std::string text_;
};

/// A thread's state for a language by its one name and the rules of an index, for the time of one analysis. An analysis inside
/// another one, by what a sink calls, gets a state of its own.
class StateLease {
  public:
    StateLease(const std::string& language, int rules);
    ~StateLease() {
        if (!own_) state_->in_use = false;
    }
    StateLease(const StateLease&) = delete;
    StateLease& operator=(const StateLease&) = delete;
    ThreadState& operator*() const noexcept { return *state_; }

  private:
    std::unique_ptr<ThreadState> own_;
    ThreadState* state_;
};

}  // namespace rag::core
