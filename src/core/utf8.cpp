#include "core/utf8.hpp"

#include <cstring>

#include "core/error.hpp"

namespace rag::core {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Lead {
    std::uint32_t length;      // bytes of the whole sequence; 0: not a lead byte
    unsigned char second_low;  // range of the second byte (Unicode 15, table 3-7)
    unsigned char second_high;
    unsigned char bits;  // payload of the lead byte
};

constexpr Lead classify(unsigned char byte) noexcept {
    if (byte < 0xC2) return {0, 0, 0, 0};
    if (byte < 0xE0) return {2, 0x80, 0xBF, static_cast<unsigned char>(byte & 0x1F)};
    if (byte < 0xF0) {
        const unsigned char low = byte == 0xE0 ? 0xA0 : 0x80;
        const unsigned char high = byte == 0xED ? 0x9F : 0xBF;
        return {3, low, high, static_cast<unsigned char>(byte & 0x0F)};
    }
    if (byte < 0xF5) {
        const unsigned char low = byte == 0xF0 ? 0x90 : 0x80;
        const unsigned char high = byte == 0xF4 ? 0x8F : 0xBF;
        return {4, low, high, static_cast<unsigned char>(byte & 0x07)};
    }
    return {0, 0, 0, 0};
}

}  // namespace

Utf8Step decode_any_utf8(std::string_view text, std::size_t at) noexcept {
    if (at >= text.size()) return {0, 0, true};
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) return {first, 1, true};
    const Lead lead = classify(first);
    if (lead.length == 0) return {kReplacement, 1, false};
    char32_t value = lead.bits;
    for (std::uint32_t i = 1; i < lead.length; ++i) {
        if (at + i >= text.size()) return {kReplacement, i, false};
        const auto byte = static_cast<unsigned char>(text[at + i]);
        const unsigned char low = i == 1 ? lead.second_low : 0x80;
        const unsigned char high = i == 1 ? lead.second_high : 0xBF;
        if (byte < low || byte > high) return {kReplacement, i, false};
        value = (value << 6) | (byte & 0x3FU);
    }
    return {value, lead.length, true};
}

void append_utf8(std::string& out, char32_t value) {
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) value = kReplacement;
    if (value < 0x80) {
        out += static_cast<char>(value);
    } else if (value < 0x800) {
        out += static_cast<char>(0xC0 | (value >> 6));
        out += static_cast<char>(0x80 | (value & 0x3F));
    } else if (value < 0x10000) {
        out += static_cast<char>(0xE0 | (value >> 12));
        out += static_cast<char>(0x80 | ((value >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (value & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (value >> 18));
        out += static_cast<char>(0x80 | ((value >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((value >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (value & 0x3F));
    }
}

std::size_t find_invalid_utf8(std::string_view text) noexcept {
    for (std::size_t at = 0; at < text.size();) {
        if (static_cast<unsigned char>(text[at]) < 0x80) {
            ++at;
            std::uint64_t bytes = 0;  // eight at a time
            for (; at + sizeof bytes <= text.size(); at += sizeof bytes) {
                std::memcpy(&bytes, text.data() + at, sizeof bytes);
                if ((bytes & 0x8080808080808080ULL) != 0) break;
            }
            continue;
        }
        const Utf8Step step = decode_utf8(text, at);
        if (!step.valid) return at;
        at += step.length;
    }
    return std::string_view::npos;
}

void require_utf8(std::string_view text, std::string_view what) {
    const std::size_t at = find_invalid_utf8(text);
    if (at != std::string_view::npos) {
        fail(Code::kInvalidArgument, "{} is not valid UTF-8: byte 0x{:02x} at offset {}", what,
             static_cast<unsigned char>(text[at]), at);
    }
}

std::string replace_invalid_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        if (step.valid) {
            out.append(text.substr(at, step.length));
        } else {
            append_utf8(out, kReplacement);
        }
        at += step.length;
    }
    return out;
}

std::size_t count_code_points(std::string_view text) noexcept {
    std::size_t count = 0;
    for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
    return count;
}

}  // namespace rag::core
