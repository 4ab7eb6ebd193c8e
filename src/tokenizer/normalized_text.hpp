// One stretch of the caller's text after normalization, with the way back: which bytes of the original each byte came from.
// Stages rewrite it (TextRewrite); while none has, it is a view and costs nothing. A byte-level token may end inside a character;
// its place is widened to the whole one. Scratch of one encode call: reused, one thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/char_text.hpp"
#include "tokenizer/place_map.hpp"

namespace rag::core {

class NormalizerPlan;

/// Bytes [start, end) of a NormalizedText: a piece that a pre-tokenizer cut.
struct Span {
    std::uint32_t start = 0, end = 0;
    bool operator==(const Span&) const = default;
};

class NormalizedText {
  public:
    /// Normalizes bytes [start, end) of `original`, which are well-formed UTF-8. Without `places` the way back is not kept.
    /// Throws kInvalidArgument when a stage's result passes 4 GiB, or 16 MiB and 32 times the stretch: stages that replace one
    /// character by many grow a text beyond all bounds, and what is in Unicode grows it eighteen times at most.
    void assign(std::string_view original, std::uint32_t start, std::uint32_t end, const NormalizerPlan& plan, bool places);

    std::string_view text() const noexcept { return text_; }
    /// Where bytes [span.start, span.end) came from, in bytes of the original. The span is not empty, and places are kept.
    Alignment origin(Span span) const noexcept {
        const Alignment first = places_.place(text_, span.start, cursor_);
        return {first.start, places_.place(text_, span.end - 1, cursor_).end};
    }
    /// Whether each byte is one of the original, in its order without gaps: what most texts are whatever was done to them.
    bool is_moved() const noexcept { return places_.is_moved(); }
    /// As origin(), if that is so.
    Alignment moved(Span span) const noexcept { return places_.moved(text_, span.start, span.end); }
    /// Where the stretch begins in the original.
    std::uint32_t start() const noexcept { return start_; }
    /// Scratch for normalizers that work on code points.
    CharText& chars() noexcept { return chars_; }
    /// Frees what a very long text left behind.
    void shrink();

  private:
    friend class TextRewrite;

    std::uint32_t start_ = 0;
    std::string_view text_;
    std::string buffer_, spare_buffer_;  // text_ views the original, or buffer_
    PlaceMap places_, spare_places_;
    bool keep_places_ = false;
    std::size_t most_bytes_ = 0;      // that a stage may make of it
    mutable std::size_t cursor_ = 0;  // in places_: where the last question ended
    CharText chars_;
};

/// Writes the next version of a NormalizedText, from front to back, beside the old one; finish() puts it in its place.
class TextRewrite {
  public:
    explicit TextRewrite(NormalizedText& text);

    std::string_view old() const noexcept { return text_.text_; }
    /// Bytes of the old text that are done with.
    std::uint32_t at() const noexcept { return at_; }
    /// Bytes of the new text.
    std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(size_); }
    bool keeps_places() const noexcept { return text_.keep_places_; }

    /// Old bytes up to `end` stay as they are.
    void keep_to(std::uint32_t end) {
        if (end == at_) return;
        if (text_.keep_places_) places_.add_part(size(), text_.places_, at_, end, cursor_);
        const std::size_t length = end - at_;
        const char* from = text_.text_.data() + at_;
        char* to = grow(std::max(length, kWord));
        if (length <= kWord && at_ + kWord <= text_.text_.size()) {
            std::memcpy(to, from, kWord);  // one move instead of a call; what is too much is written over
        } else {
            std::memcpy(to, from, length);
        }
        size_ += length;
        at_ = end;
    }
    /// As keep_to(), but another character of the same size stands for each: out[0 .. end - at()) is to be written.
    char* keep_places_to(std::uint32_t end);
    /// Old bytes up to `end` go.
    void skip_to(std::uint32_t end) noexcept { at_ = end; }
    /// New text, all of one place.
    void put(std::string_view bytes, Alignment place) {
        if (bytes.empty()) return;
        if (text_.keep_places_) places_.add(size(), place);
        std::memcpy(grow(bytes.size()), bytes.data(), bytes.size());
        size_ += bytes.size();
    }
    /// One new character. The places of successive characters that match the old ones are joined.
    void put_character(char32_t value, Alignment place);
    /// The place of the old character at `at`; {} without places.
    Alignment place(std::uint32_t at) noexcept {
        return text_.keep_places_ ? text_.places_.place(text_.text_, at, place_cursor_) : Alignment{};
    }
    /// The place that is inserted text's at byte `at` of the old text: that of the character before, or the very beginning.
    Alignment place_before(std::uint32_t at) noexcept { return at == 0 ? Alignment{text_.start_, text_.start_} : place(at - 1); }
    /// What is left of the old text goes; the new one takes its place.
    void finish();

  private:
    static constexpr std::size_t kWord = 16;
    /// Where the next `room` bytes go.
    char* grow(std::size_t room) {
        if (out_.size() - size_ < room) make_room(room);
        return out_.data() + size_;
    }
    void make_room(std::size_t room);
    void require_size(std::size_t size) const;

    NormalizedText& text_;
    std::string& out_;  // the first size_ bytes are the new text
    std::size_t size_ = 0;
    PlaceMap& places_;
    std::uint32_t at_ = 0;
    std::size_t cursor_ = 0;
    std::size_t place_cursor_ = 0;
};

}  // namespace rag::core
