#include "text/readers/fields.hpp"

#include <unicode/uchar.h>

#include "core/utf8.hpp"
#include "text/chunkers/lines.hpp"
#include "text/clean.hpp"
#include "text/readers/reader.hpp"

namespace rag::core {

std::string title_line(std::string_view text) {
    std::string line;
    bool space = false;
    const std::string cleaned = clean_text(cut_text(text, 16 * kMaxReadTitleBytes));
    for (std::size_t at = 0; at < cleaned.size();) {
        const Utf8Step step = decode_utf8(cleaned, at);
        if (u_isUWhiteSpace(static_cast<UChar32>(step.value))) {
            space = !line.empty();
        } else {
            if (line.size() + step.length + 1 > kMaxReadTitleBytes) break;
            if (space) line += ' ';
            space = false;
            line.append(cleaned, at, step.length);
        }
        at += step.length;
    }
    return line;
}

void append_json_string(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

std::string json_string(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

bool is_blank_text(std::string_view utf8) {
    for (std::size_t at = 0; at < utf8.size();) {
        const Utf8Step step = decode_utf8(utf8, at);
        if (u_isUWhiteSpace(static_cast<UChar32>(step.value)) == 0) return false;
        at += step.length;
    }
    return true;
}

}  // namespace rag::core
