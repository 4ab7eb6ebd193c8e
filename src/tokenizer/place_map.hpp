// The way back from a rewritten text: which bytes of the caller's text each byte came from. Rewriting leaves most of a text as it
// was, so the map is a list of segments, not of bytes: characters that correspond one to one to characters of the same size (a
// linear segment), or bytes that share one place. Scratch of one encode call; positions must be asked for in about rising order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/char_text.hpp"
#include "tokenizer/unicode/code_points.hpp"

namespace rag::core {

class PlaceMap {
  public:
    /// One linear segment for a text that begins at byte `origin` of the caller's.
    void reset(std::uint32_t origin) {
        segments_.clear();
        segments_.push_back({0, {origin, kLinear}});
    }
    void clear() noexcept { segments_.clear(); }

    /// The bytes from `at`, which lies behind all there are, to the next segment have the place `place`.
    void add(std::uint32_t at, Alignment place) {
        if (segments_.empty() || !(segments_.back().place == place)) segments_.push_back({at, place});
    }
    /// The characters from `at` on are those from byte `origin` of the caller's text on.
    void add_linear(std::uint32_t at, std::uint32_t origin) {
        if (!segments_.empty()) {
            const Segment& last = segments_.back();
            if (last.place.end == kLinear && last.place.start + (at - last.at) == origin) return;
        }
        segments_.push_back({at, {origin, kLinear}});
    }
    /// One character of `length` bytes.
    void add_character(std::uint32_t at, std::uint32_t length, Alignment place) {
        if (place.end - place.start == length) {
            add_linear(at, place.start);
        } else {
            add(at, place);
        }
    }
    /// What `other` says of its bytes [from, to), for the bytes from `at` on. `cursor` as in find().
    void add_part(std::uint32_t at, const PlaceMap& other, std::uint32_t from, std::uint32_t to, std::size_t& cursor);

    /// The index of the segment of byte `at`. `cursor` is where the last question ended (0 at first).
    std::size_t find(std::uint32_t at, std::size_t cursor) const noexcept {
        if (cursor >= segments_.size() || segments_[cursor].at > at) return search(at);
        while (cursor + 1 < segments_.size() && segments_[cursor + 1].at <= at) ++cursor;
        return cursor;
    }
    /// The place of the character that byte `at` of `text`, to which this map belongs, is in.
    Alignment place(std::string_view text, std::uint32_t at, std::size_t& cursor) const noexcept {
        cursor = find(at, cursor);
        const Segment& segment = segments_[cursor];
        if (segment.place.end != kLinear) return segment.place;
        return moved(text, at, at + 1, segment.place.start - segment.at);
    }
    /// Whether there is one segment, a linear one.
    bool is_moved() const noexcept { return segments_.size() == 1 && segments_[0].place.end == kLinear; }
    /// The place of bytes [start, end) of `text` then, widened to whole characters.
    Alignment moved(std::string_view text, std::uint32_t start, std::uint32_t end) const noexcept {
        return moved(text, start, end, segments_[0].place.start - segments_[0].at);
    }

    std::size_t capacity() const noexcept { return segments_.capacity(); }
    void swap(PlaceMap& other) noexcept { segments_.swap(other.segments_); }
    void free() { std::vector<Segment>().swap(segments_); }

  private:
    static constexpr std::uint32_t kLinear = 0xFFFFFFFF;  // no text is as long
    struct Segment {
        std::uint32_t at;  // first byte in the rewritten text
        Alignment place;   // end is kLinear: start is where the first byte came from
    };
    std::size_t search(std::uint32_t at) const noexcept;
    // `shift` is added modulo 2^32.
    static Alignment moved(std::string_view text, std::uint32_t start, std::uint32_t end, std::uint32_t shift) noexcept {
        while (is_continuation(text[start])) --start;  // ends at the lead byte: the text is well-formed
        while (end < text.size() && is_continuation(text[end])) ++end;
        return {start + shift, end + shift};
    }

    std::vector<Segment> segments_;
};

}  // namespace rag::core
