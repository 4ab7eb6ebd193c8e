#include "text/term_state.hpp"

#include <unicode/uscript.h>

#include <algorithm>

#include "core/utf8.hpp"
#include "text/fold.hpp"

namespace rag::core {
namespace {

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

bool has_digit(std::string_view word) noexcept {
    return std::ranges::any_of(word, [](char byte) { return byte >= '0' && byte <= '9'; });
}

bool is_english(const std::string& language) noexcept {
    return language == "auto" || language == "english";
}

}  // namespace

std::string_view cut_term(std::string_view term) noexcept {
    if (term.size() <= kMaxTermBytes) return term;
    std::size_t end = kMaxTermBytes;
    while (end > 0 && (static_cast<unsigned char>(term[end]) & 0xC0U) == 0x80U) --end;
    return term.substr(0, end);
}

void fold_word(std::string_view word, bool ascii, const std::string& language, std::string& out) {
    if (!ascii) return fold_text(word, is_english(language) || language == "none", out);
    out.assign(word);
    for (char& byte : out) byte = byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
}

ThreadState::ThreadState(const std::string& language, int rules) : language_(language), rules_(rules), memo_(kFirstMemo) {
    if (language != "auto" && language != "none") named_ = std::make_unique<Stemmer>(language);
    if (language == "auto" || language == "english") stop_words_ = stop_words_of("english");
    if (rules >= 2 && named_ && language != "english") stop_words_ = stop_words_of(language);
    if (rules >= 2 && language == "auto") russian_stop_words_ = stop_words_of("russian");
}

std::string_view ThreadState::compute(std::string_view word, bool ascii, bool number) {
    fold_word(word, ascii, language_, text_);
    if (number || text_.empty()) return cut_term(text_);
    if (stop_words_ != nullptr && stop_words_->contains(text_)) return "";
    if (russian_stop_words_ != nullptr && !ascii && russian_stop_words_->contains(text_)) return "";
    if (text_.size() > kMaxTermBytes) return cut_term(text_);
    // The code AB12S is no plural, and as AB-12S it would keep its end.
    if (rules_ >= 4 && has_digit(text_)) return text_;
    Stemmer* stemmer = stemmer_for(text_);
    return stemmer == nullptr ? std::string_view(text_) : cut_term(stemmer->stem(text_));
}

Stemmer* ThreadState::stemmer_for(std::string_view word) {
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

StateLease::StateLease(const std::string& language, int rules) {
    thread_local std::array<std::unordered_map<std::string, std::unique_ptr<ThreadState>>, kAnalyzerRules> states;
    auto& slot = states.at(static_cast<std::size_t>(rules) - 1)[language];
    if (!slot) slot = std::make_unique<ThreadState>(language, rules);
    if (slot->in_use) own_ = std::make_unique<ThreadState>(language, rules);
    state_ = own_ ? own_.get() : slot.get();
    state_->in_use = true;
}

}  // namespace rag::core
