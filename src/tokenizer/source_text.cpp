#include "tokenizer/source_text.hpp"

#include <simdjson.h>
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBlock = 64;  // bytes
constexpr std::size_t kWord = 8;
constexpr std::size_t kShort = 4096;  // bytes of a text that is counted anew wherever offsets go back in it

// Bytes 10xxxxxx among the first `length` of the eight at `bytes`. Little endian.
std::uint32_t count_continuations(const char* bytes, std::uint32_t length) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    word = (word >> 7) & ~(word >> 6) & kOnes;
    return static_cast<std::uint32_t>(((word << (64 - 8 * length)) * kOnes) >> 56);
}

// Eight bytes at a time; at most kRound words, so that no byte of the sum runs over.
std::uint32_t count_leads(std::string_view text) {
    constexpr std::size_t kRound = 255;
    constexpr std::uint64_t kOnes = 0x0101010101010101U, kEvenBytes = 0x00FF00FF00FF00FFU, kEvenOnes = 0x0001000100010001U;
    auto count = static_cast<std::uint32_t>(text.size());
    const char* at = text.data();
    std::size_t left = text.size();
    while (left >= kWord) {
        std::uint64_t sums = 0;  // of continuations, byte by byte
        for (std::size_t i = std::min(left / kWord, kRound); i > 0; --i, at += kWord, left -= kWord) {
            std::uint64_t word;
            std::memcpy(&word, at, sizeof word);
            sums += (word >> 7) & ~(word >> 6) & kOnes;
        }
        const std::uint64_t pairs = (sums & kEvenBytes) + ((sums >> 8) & kEvenBytes);
        count -= static_cast<std::uint32_t>((pairs * kEvenOnes) >> 48);
    }
    for (; left > 0; --left, ++at) count -= (static_cast<unsigned char>(*at) & 0xC0U) == 0x80U;
    return count;
}

}  // namespace

namespace {

std::atomic<bool> exit_began{false};

/// By simdjson as long as there is one: exit() destroys the objects through which it chooses its instructions, and other threads
/// may still encode then. The handler is registered behind those objects, so it runs before they go.
bool is_valid_utf8(std::string_view text) {
    static const bool chosen = [] { return simdjson::validate_utf8("", 0) && std::atexit([] { exit_began = true; }) == 0; }();
    if (!chosen || exit_began) return find_invalid_utf8(text) == std::string_view::npos;
    return simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace

SourceText::SourceText(std::string_view text, const EncodeOptions& options, std::string_view name) : text_(text) {
    if (text.size() > kMaxTextBytes) {
        fail(Code::kInvalidArgument, "{} has {} bytes, more than the {} that a tokenizer takes at once", name, text.size(),
             kMaxTextBytes);
    }
    if (!is_valid_utf8(text)) {
        if (options.invalid_text == InvalidText::kRefuse) require_utf8(text, name);
        replace_invalid();
    }
    if (options.offset_unit == OffsetUnit::kCharacters) count_characters();
}

void SourceText::replace_invalid() {
    static constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
    std::size_t done = 0;
    while (done < text_.size()) {
        const std::size_t valid = std::min(find_invalid_utf8(text_.substr(done)), text_.size() - done);
        copy_.append(text_, done, valid);
        done += valid;
        if (done == text_.size()) break;
        done += decode_utf8(text_, done).length;
        copy_ += kReplacement;
        shifts_.push_back({static_cast<std::uint32_t>(copy_.size()), static_cast<std::uint32_t>(done)});
    }
    owned_ = true;
}

void SourceText::keep() {
    if (owned_) return;
    copy_ = text_;
    owned_ = true;
}

std::uint32_t SourceText::caller_byte(std::uint32_t at) const {
    const auto behind = std::upper_bound(shifts_.begin(), shifts_.end(), at,
                                         [](std::uint32_t wanted, const Shift& shift) { return wanted < shift.here; });
    if (behind == shifts_.begin()) return at;
    const Shift& shift = *(behind - 1);
    return shift.there + (at - shift.here);
}

void SourceText::count_characters() {
    const std::string_view all = text();
    unsigned char any = 0;
    for (const char byte : all) any |= static_cast<unsigned char>(byte);
    if (any < 0x80) return;
    counts_ = true;
    if (all.size() <= kShort) return;
    before_.reserve(all.size() / kBlock + 1);
    std::uint32_t count = 0;
    for (std::size_t at = 0; at < all.size(); at += kBlock) {
        before_.push_back(count);
        count += count_leads(all.substr(at, kBlock));
    }
    before_.push_back(count);  // for the end of the text, where it is a whole block
}

std::uint32_t SourceText::character(std::uint32_t at) const {
    if (before_.empty()) return count_leads(text().substr(0, at));
    const std::size_t block = at / kBlock;
    return before_[block] + count_leads(text().substr(block * kBlock, at % kBlock));
}

void SourceText::convert(std::span<std::pair<std::uint32_t, std::uint32_t>> offsets) const {
    if (counts_) {
        // From one place to the next, which is mostly near.
        const std::string_view all = text();
        const std::size_t near = before_.empty() ? all.size() : kBlock;
        std::uint32_t done = 0;
        std::uint32_t count = 0;
        const auto advance = [&](std::uint32_t at) {
            const std::uint32_t length = at - done;  // modulo 2^32: great if it goes back
            if (length == 0) return count;
            if (length <= kWord && done + kWord <= all.size()) {
                count += length - count_continuations(all.data() + done, length);
            } else {
                count = length > near ? character(at) : count + count_leads(all.substr(done, length));
            }
            done = at;
            return count;
        };
        // Tokens of one character's bytes all have the character's place.
        std::uint32_t last_start = 0, last_count = 0;
        for (auto& [start, end] : offsets) {
            if (start != last_start) {
                last_start = start;
                last_count = advance(start);
            }
            start = last_count;
            end = advance(end);
        }
    } else if (!shifts_.empty()) {
        for (auto& [start, end] : offsets) {
            start = caller_byte(start);
            end = caller_byte(end);
        }
    }
}

SourceSequence::SourceSequence(SourceText text) : has_words_(false) {
    texts_.push_back(std::move(text));
}

SourceSequence::SourceSequence(Words words, const EncodeOptions& options, std::string_view name) : has_words_(true) {
    std::size_t bytes = 0;
    texts_.reserve(words.size());
    for (std::size_t i = 0; i < words.size(); ++i) {
        texts_.emplace_back(words[i], options, fmt::format("{}[{}]", name, i));
        bytes += words[i].size();
        if (bytes > kMaxTextBytes) {
            fail(Code::kInvalidArgument, "{} have more than the {} bytes that a tokenizer takes at once", name, kMaxTextBytes);
        }
    }
}

void SourceSequence::keep() {
    for (SourceText& text : texts_) text.keep();
}

void SourceSequence::convert(std::span<std::pair<std::uint32_t, std::uint32_t>> offsets,
                             std::span<const std::int32_t> words) const {
    if (!has_words_) return texts_[0].convert(offsets);
    for (std::size_t from = 0; from < offsets.size();) {
        std::size_t to = from + 1;
        while (to < offsets.size() && words[to] == words[from]) ++to;
        texts_[static_cast<std::size_t>(words[from])].convert(offsets.subspan(from, to - from));
        from = to;
    }
}

std::size_t TextPair::size_bytes() const noexcept {
    if (!words) return text.size() + pair.value_or(std::string_view()).size();
    std::size_t bytes = 0;
    for (const Words& list : {*words, pair_words.value_or(Words())}) {
        for (const std::string_view word : list) bytes += word.size();
    }
    return bytes;
}

}  // namespace rag::core
