#include "tokenizer/source_text.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <simdjson.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/tokenizer.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBlock = 64;  // bytes
constexpr std::size_t kWord = 8;

// Bytes 10xxxxxx among the first `length` of the eight at `bytes`. Little endian.
std::uint32_t count_continuations(const char* bytes, std::uint32_t length) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    word = (word >> 7) & ~(word >> 6) & kOnes;
    return static_cast<std::uint32_t>(((word << (64 - 8 * length)) * kOnes) >> 56);
}

std::uint32_t count_leads(std::string_view text) {
    std::uint32_t count = 0;
    for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
    return count;
}

}  // namespace

SourceText::SourceText(std::string_view text, const EncodeOptions& options, std::string_view name) : text_(text) {
    if (text.size() > kMaxTextBytes) {
        fail(Code::kInvalidArgument, "{} has {} bytes, more than the {} that a tokenizer takes at once", name, text.size(),
             kMaxTextBytes);
    }
    if (!simdjson::validate_utf8(text.data(), text.size())) {
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
    before_.reserve(all.size() / kBlock + 1);
    std::uint32_t count = 0;
    for (std::size_t at = 0; at < all.size(); at += kBlock) {
        before_.push_back(count);
        count += count_leads(all.substr(at, kBlock));
    }
    before_.push_back(count);  // for the end of the text, where it is a whole block
}

std::uint32_t SourceText::character(std::uint32_t at) const {
    const std::size_t block = at / kBlock;
    return before_[block] + count_leads(text().substr(block * kBlock, at % kBlock));
}

void SourceText::convert(std::vector<std::pair<std::uint32_t, std::uint32_t>>& offsets) const {
    if (!before_.empty()) {
        // From one place to the next, which is mostly near.
        const std::string_view all = text();
        std::uint32_t done = 0;
        std::uint32_t count = 0;
        const auto advance = [&](std::uint32_t at) {
            const std::uint32_t length = at - done;  // modulo 2^32: great if it goes back
            if (length == 0) return count;
            if (length <= kWord && done + kWord <= all.size()) {
                count += length - count_continuations(all.data() + done, length);
            } else {
                count = length > kBlock ? character(at) : count + count_leads(all.substr(done, length));
            }
            done = at;
            return count;
        };
        for (auto& [start, end] : offsets) {
            start = advance(start);
            end = advance(end);
        }
    } else if (!shifts_.empty()) {
        for (auto& [start, end] : offsets) {
            start = caller_byte(start);
            end = caller_byte(end);
        }
    }
}

}  // namespace rag::core
