#include "text/clean.hpp"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/stringpiece.h>

#include <algorithm>
#include <cstdint>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/icu.hpp"

namespace rag::core {
namespace {

constexpr std::size_t kBytesPerPoll = std::size_t{1} << 18;
constexpr std::size_t kMaxNewlines = 3;  // two blank lines: what separates functions of Python

std::uint8_t byte_at(std::string_view text, std::size_t at) noexcept {
    return at < text.size() ? static_cast<std::uint8_t>(text[at]) : std::uint8_t{0};
}

/// Bytes of the control character at `at`; 0 if there is none. White space is none.
std::size_t control_at(std::string_view text, std::size_t at) noexcept {
    const std::uint8_t byte = byte_at(text, at);
    if (byte < 0x20) return byte >= 0x09 && byte <= 0x0D ? 0 : 1;
    if (byte == 0x7F) return 1;
    const std::uint8_t next = byte_at(text, at + 1);
    if (byte == 0xC2) return next >= 0x80 && next < 0xA0 && next != 0x85 ? 2 : 0;
    return byte == 0xEF && next == 0xBB && byte_at(text, at + 2) == 0xBF ? 3 : 0;
}

/// Asks whether to go on each time that so many bytes more were read.
class Poll {
  public:
    Poll(std::string_view text, const Progress& progress) : total_(text.size()), progress_(progress) {}
    void at(std::size_t place) {
        if (place < next_) return;
        report(progress_, place, total_);
        next_ = place + kBytesPerPoll;
    }

  private:
    std::size_t total_;
    const Progress& progress_;
    std::size_t next_ = kBytesPerPoll;
};

std::string without_controls(std::string_view text, const Progress& progress) {
    Poll poll(text, progress);
    std::string out;
    out.reserve(text.size());
    std::size_t kept = 0;
    for (std::size_t at = 0; at < text.size();) {
        poll.at(at);
        const std::size_t size = control_at(text, at);
        if (size == 0) {
            ++at;
            continue;
        }
        out.append(text.substr(kept, at - kept));
        at += size;
        kept = at;
    }
    out.append(text.substr(kept));
    return out;
}

/// Bytes of the line end at `at`; 0 if there is none.
std::size_t line_end_at(std::string_view text, std::size_t at) noexcept {
    switch (byte_at(text, at)) {
        case '\r':
            return byte_at(text, at + 1) == '\n' ? 2 : 1;
        case '\n':
        case '\f':
        case '\v':
            return 1;
        case 0xC2:
            return byte_at(text, at + 1) == 0x85 ? 2 : 0;
        case 0xE2: {
            const std::uint8_t last = byte_at(text, at + 2);
            return byte_at(text, at + 1) == 0x80 && (last == 0xA8 || last == 0xA9) ? 3 : 0;
        }
        default:
            return 0;
    }
}

std::string with_plain_whitespace(std::string_view text, const Progress& progress) {
    Poll poll(text, progress);
    std::string out;
    out.reserve(text.size());
    std::size_t newlines = kMaxNewlines;  // as if blank lines had just been given: those at the start go
    std::string blanks;                   // not given yet: they go if the line ends behind them
    for (std::size_t at = 0; at < text.size();) {
        poll.at(at);
        if (const std::size_t size = line_end_at(text, at); size != 0) {
            blanks.clear();
            if (newlines < kMaxNewlines) out += '\n';
            newlines = std::min(newlines + 1, kMaxNewlines);
            at += size;
        } else if (text[at] == ' ' || text[at] == '\t') {
            blanks += text[at++];
        } else if (byte_at(text, at) == 0xC2 && byte_at(text, at + 1) == 0xA0) {
            blanks += ' ';
            at += 2;
        } else {
            out += blanks;
            blanks.clear();
            newlines = 0;
            out += text[at++];
        }
    }
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

/// The first place from `at` on whose character never changes with what stands before it: text may be cut there.
/// `poll` is asked meanwhile: accents may go on for megabytes.
std::size_t normal_form_end(const icu::Normalizer2& nfc, std::string_view text, std::size_t at, Poll& poll) {
    while (at < text.size() && (byte_at(text, at) & 0xC0U) == 0x80U) ++at;
    while (at < text.size()) {
        poll.at(at);
        const Utf8Step step = decode_utf8(text, at);
        if (nfc.hasBoundaryBefore(static_cast<UChar32>(step.value)) != 0) break;
        at += step.length;
    }
    return std::min(at, text.size());
}

std::string in_normal_form_c(std::string_view text, const Progress& progress) {
    UErrorCode code = U_ZERO_ERROR;
    const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(code);
    check_icu(code, "Normalizer2::getNFCInstance");
    Poll poll(text, progress);
    std::string out;
    out.reserve(text.size());
    icu::StringByteSink<std::string> sink(&out);
    for (std::size_t at = 0; at < text.size();) {
        poll.at(at);
        const std::size_t end = normal_form_end(*nfc, text, at + kBytesPerPoll, poll);
        const icu::StringPiece piece(text.data() + at, static_cast<std::int32_t>(end - at));
        if (nfc->isNormalizedUTF8(piece, code) != 0 && U_SUCCESS(code)) {
            out.append(text.substr(at, end - at));
        } else {
            nfc->normalizeUTF8(0, piece, sink, nullptr, code);
            check_icu(code, "Normalizer2::normalizeUTF8");
        }
        at = end;
    }
    return out;
}

}  // namespace

std::string clean_text(std::string_view utf8, const CleanOptions& options, const Progress& progress) {
    constexpr std::size_t kMaxBytes = std::size_t{1} << 30;  // ICU counts in 32 bits
    if (utf8.size() > kMaxBytes)
        fail(Code::kInvalidArgument, "the text to clean has {} bytes, at most {} are taken", utf8.size(), kMaxBytes);
    require_utf8(utf8, "the text to clean");
    std::string text = options.control ? without_controls(utf8, progress) : std::string(utf8);
    if (options.whitespace) text = with_plain_whitespace(text, progress);
    // Last, because what stood between a letter and its accent may be gone now; it makes neither controls nor white space that
    // the steps before would change.
    return options.nfc ? in_normal_form_c(text, progress) : text;
}

}  // namespace rag::core
