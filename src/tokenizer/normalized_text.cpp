#include "tokenizer/normalized_text.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kKeptBytes = 1U << 20;  // scratch beyond this is given back after a call

bool is_ascii(char byte) {
    return static_cast<unsigned char>(byte) < 0x80;
}
bool is_continuation(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

std::uint32_t find_not_ascii(std::string_view text, std::uint32_t from, std::uint32_t end) {
    while (from < end && is_ascii(text[from])) ++from;
    return from;
}

std::uint32_t find_ascii(std::string_view text, std::uint32_t from, std::uint32_t end) {
    while (from < end && !is_ascii(text[from])) ++from;
    return from;
}

bool is_dropped(char byte, const AsciiMap& map) {
    return map[static_cast<unsigned char>(byte)] == kDropped;
}

// A run of characters that is normalized together. Marks combine with the letter before them, so the last ASCII character before
// `special` belongs to it; what is dropped does not count, since its neighbours become neighbours of each other.
std::uint32_t run_begin(std::string_view text, std::uint32_t from, std::uint32_t special, const AsciiMap& map) {
    for (std::uint32_t at = special; at > from; --at) {
        if (!is_dropped(text[at - 1], map)) return at - 1;
    }
    return from;
}

std::uint32_t run_end(std::string_view text, std::uint32_t special, std::uint32_t end, const AsciiMap& map) {
    for (;;) {
        const std::uint32_t ascii = find_ascii(text, special, end);
        std::uint32_t next = ascii;
        while (next < end && is_ascii(text[next]) && is_dropped(text[next], map)) ++next;
        if (next == end || is_ascii(text[next])) return ascii;
        special = next;
    }
}

void check_size(std::size_t size) {
    if (size > std::numeric_limits<std::uint32_t>::max()) {
        fail(Code::kInvalidArgument, "the normalized text has {} bytes, more than the {} that a tokenizer takes at once", size,
             std::numeric_limits<std::uint32_t>::max());
    }
}

}  // namespace

NormalizerPlan::NormalizerPlan(const Normalizer* normalizer) : normalizer_(normalizer) {
    for (std::size_t i = 0; i < ascii_.size(); ++i) ascii_[i] = static_cast<std::int16_t>(i);
    if (normalizer != nullptr) normalizer->map_ascii(ascii_);
    keeps_ascii_ = true;
    for (std::size_t i = 0; i < ascii_.size(); ++i) keeps_ascii_ = keeps_ascii_ && ascii_[i] == static_cast<std::int16_t>(i);
}

void NormalizedText::assign(std::string_view original, std::uint32_t start, std::uint32_t end, const NormalizerPlan& plan,
                            bool places) {
    original_ = original;
    start_ = start;
    text_ = original.substr(start, end - start);
    rewritten_ = false;
    keep_places_ = places;
    if (plan.normalizer() == nullptr) return;
    if (plan.keeps_ascii() && find_not_ascii(original, start, end) == end) return;
    rewritten_ = true;
    buffer_.clear();
    places_.clear();
    for (std::uint32_t at = start; at < end;) {
        const std::uint32_t special = find_not_ascii(original, at, end);
        if (special == end) {
            append_ascii(original, at, end, plan.ascii());
            break;
        }
        const std::uint32_t run = run_begin(original, at, special, plan.ascii());
        append_ascii(original, at, run, plan.ascii());
        at = run_end(original, special, end, plan.ascii());
        append_run(original, run, at, *plan.normalizer());
    }
    check_size(buffer_.size());
    text_ = buffer_;
}

void NormalizedText::append_ascii(std::string_view original, std::uint32_t start, std::uint32_t end, const AsciiMap& map) {
    const std::size_t old = buffer_.size();
    buffer_.resize(old + (end - start));
    char* out = buffer_.data() + old;
    if (!keep_places_) {
        for (std::uint32_t i = start; i < end; ++i) {
            const std::int16_t value = map[static_cast<unsigned char>(original[i])];
            *out = static_cast<char>(value);
            out += value != kDropped;
        }
    } else {
        places_.resize(old + (end - start));
        Alignment* place = places_.data() + old;
        for (std::uint32_t i = start; i < end; ++i) {
            const std::int16_t value = map[static_cast<unsigned char>(original[i])];
            *out = static_cast<char>(value);
            *place = {i, i + 1};
            out += value != kDropped;
            place += value != kDropped;
        }
        places_.resize(static_cast<std::size_t>(place - places_.data()));
    }
    buffer_.resize(static_cast<std::size_t>(out - buffer_.data()));
}

void NormalizedText::append_run(std::string_view original, std::uint32_t start, std::uint32_t end, const Normalizer& normalizer) {
    chars_.clear(places_.empty() ? Alignment{start_, start_} : places_.back());
    for (std::uint32_t at = start; at < end;) {
        const Utf8Step step = decode_utf8(original, at);
        chars_.push(step.value, {at, at + step.length});
        at += step.length;
    }
    normalizer.normalize(chars_);
    for (std::size_t i = 0; i < chars_.size(); ++i) {
        append_utf8(buffer_, chars_.values[i]);
        if (keep_places_) places_.resize(buffer_.size(), chars_.places[i]);
    }
}

Alignment NormalizedText::origin(Span span) const noexcept {
    if (rewritten_) return {places_[span.start].start, places_[span.end - 1].end};
    std::uint32_t start = start_ + span.start;
    std::uint32_t end = start_ + span.end;
    while (is_continuation(original_[start])) --start;  // ends at the lead byte: the text is well-formed
    while (end < original_.size() && is_continuation(original_[end])) ++end;
    return {start, end};
}

void NormalizedText::materialize() {
    if (rewritten_) return;
    buffer_.assign(text_);
    places_.clear();
    if (keep_places_) {
        places_.reserve(buffer_.size());
        for (std::uint32_t i = 0; i < text_.size(); ++i) places_.push_back(origin({i, i + 1}));
    }
    rewritten_ = true;
    text_ = buffer_;
}

void NormalizedText::prefix_spaces(std::vector<Span>& spans) {
    const auto lacks_space = [&](const Span& span) { return span.start < span.end && text_[span.start] != ' '; };
    if (std::none_of(spans.begin(), spans.end(), lacks_space)) return;
    materialize();
    std::string text;
    std::vector<Alignment> places;
    text.reserve(buffer_.size() + spans.size());
    std::size_t done = 0;
    const auto copy_to = [&](std::size_t end) {
        text.append(buffer_, done, end - done);
        if (keep_places_)
            places.insert(places.end(), places_.begin() + std::ptrdiff_t(done), places_.begin() + std::ptrdiff_t(end));
        done = end;
    };
    for (Span& span : spans) {
        copy_to(span.start);
        const auto start = static_cast<std::uint32_t>(text.size());
        if (lacks_space(span)) {
            text += ' ';
            if (keep_places_) places.push_back(places_[span.start]);
        }
        copy_to(span.end);
        check_size(text.size());
        span = {start, static_cast<std::uint32_t>(text.size())};
    }
    copy_to(buffer_.size());
    check_size(text.size());
    buffer_.swap(text);
    places_.swap(places);
    text_ = buffer_;
}

void NormalizedText::shrink() {
    text_ = {};
    original_ = {};
    if (buffer_.capacity() > kKeptBytes) std::string().swap(buffer_);
    if (places_.capacity() > kKeptBytes / sizeof(Alignment)) std::vector<Alignment>().swap(places_);
    if (chars_.values.capacity() > kKeptBytes / sizeof(Alignment)) chars_ = CharText();
}

}  // namespace rag::core
