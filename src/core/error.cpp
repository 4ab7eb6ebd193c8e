#include "core/error.hpp"

#include "core/utf8.hpp"

namespace rag::core {
namespace {

/// C1 controls, line separators, and the marks that make a terminal show text in another order than it is in.
bool hides_or_breaks(char32_t value) {
    return (value >= 0x80 && value < 0xA0) || (value >= 0x2028 && value <= 0x202E) || (value >= 0x2066 && value <= 0x2069) ||
           value == 0x200E || value == 0x200F;
}

}  // namespace

Error::Error(Code code, const std::string& text) : std::runtime_error(text), code_(code) {}

std::string quote(std::string_view text, std::size_t limit) {
    std::string out = "\"";
    std::size_t at = 0;
    while (at < text.size() && at < limit) {
        const Utf8Step step = decode_utf8(text, at);
        const auto byte = static_cast<unsigned char>(text[at]);
        if (!step.valid) {
            for (std::size_t i = 0; i < step.length; ++i)
                out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[at + i]));
        } else if (byte == '"' || byte == '\\') {
            out += '\\';
            out += static_cast<char>(byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else if (hides_or_breaks(step.value)) {
            out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(step.value));
        } else {
            out.append(text.substr(at, step.length));
        }
        at += step.length;
    }
    out += at < text.size() ? "\"..." : "\"";
    return out;
}

}  // namespace rag::core
