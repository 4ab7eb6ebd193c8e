#include "tokenizer/chat_template/lexer_literals.hpp"

#include <algorithm>
#include <cstdint>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace rag::core::jinja {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

int digit_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return 99;
}

/// End of digits with single underscores between them, or `at` if there are none.
std::size_t digits_end(std::string_view text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && (is_digit(text[end]) || (text[end] == '_' && end > at && end + 1 < text.size() &&
                                                         is_digit(text[end + 1]) && is_digit(text[end - 1])))) {
        ++end;
    }
    return end;
}

/// End of a float that begins at 0, or 0.
std::size_t float_end(std::string_view text) {
    std::size_t at = digits_end(text, 0);
    if (at == 0) return 0;
    bool is_float = false;
    if (at + 1 < text.size() && text[at] == '.' && is_digit(text[at + 1])) {
        at = digits_end(text, at + 1);
        is_float = true;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        std::size_t exponent = at + 1;
        if (exponent < text.size() && (text[exponent] == '+' || text[exponent] == '-')) ++exponent;
        const std::size_t end = digits_end(text, exponent);
        if (end > exponent) return end;
    }
    return is_float ? at : 0;
}

std::size_t radix_end(std::string_view text) {
    if (text.size() < 3 || text[0] != '0') return 0;
    const char mark = static_cast<char>(text[1] | 0x20);
    const int radix = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    std::size_t at = 2;
    while (radix != 0 && at < text.size() &&
           (digit_value(text[at]) < radix || (text[at] == '_' && at + 1 < text.size() && digit_value(text[at + 1]) < radix))) {
        ++at;
    }
    return at > 2 ? at : 0;
}

std::string without_underscores(std::string_view text) {
    std::string out(text);
    out.erase(std::remove(out.begin(), out.end(), '_'), out.end());
    return out;
}

class Unescaper {
  public:
    Unescaper(std::string_view body, int line) : body_(body), line_(line) {}

    std::string run() {
        while (at_ < body_.size()) {
            if (body_[at_] != '\\') {
                out_ += body_[at_++];
            } else {
                escape();
            }
        }
        return std::move(out_);
    }

  private:
    void escape() {
        static constexpr std::string_view kNames = "\\'\"abfnrtv";
        static constexpr std::string_view kValues = "\\'\"\a\b\f\n\r\t\v";
        const char c = body_[at_ + 1];  // the lexer never ends a string after a backslash
        at_ += 2;
        if (const std::size_t known = kNames.find(c); known != std::string_view::npos) {
            out_ += kValues[known];
        } else if (c == 'x') {
            code_point(2, 2, 16);
        } else if (c == 'u') {
            code_point(4, 4, 16);
        } else if (c == 'U') {
            code_point(8, 8, 16);
        } else if (c >= '0' && c <= '7') {
            --at_;
            code_point(1, 3, 8);
        } else if (c == 'N') {
            fail(Code::kUnsupported, "chat template line {}: \\N escapes in strings are not known", line_);
        } else if (c != '\n') {
            out_ += '\\';
            out_ += c;
        }
    }

    void code_point(std::size_t least, std::size_t most, std::uint32_t radix) {
        std::uint64_t value = 0;
        std::size_t digits = 0;
        while (digits < most && at_ < body_.size() && static_cast<std::uint32_t>(digit_value(body_[at_])) < radix) {
            value = value * radix + static_cast<std::uint32_t>(digit_value(body_[at_]));
            ++at_;
            ++digits;
        }
        if (digits < least || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
            fail(Code::kInvalidArgument, "chat template line {}: a string escape that is no code point", line_);
        append_utf8(out_, static_cast<char32_t>(value));
    }

    std::string_view body_;
    int line_;
    std::size_t at_ = 0;
    std::string out_;
};

}  // namespace

bool match_number(std::string_view rest, char before, Literal& out) {
    if (!is_digit(rest.front())) return false;
    out.kind = TokenKind::kFloat;
    out.size = before == '.' ? 0 : float_end(rest);
    if (out.size == 0) {
        out.kind = TokenKind::kInteger;
        out.size = radix_end(rest);
    }
    if (out.size == 0) {
        out.size = digits_end(rest, 0);
        // As in Python 007 is no number: a leading zero stands alone.
        if (rest.front() == '0') {
            out.size = 1;
            while (out.size < rest.size() && rest[out.size] == '0') ++out.size;
        }
    }
    out.text = without_underscores(rest.substr(0, out.size));
    return true;
}

bool match_name(std::string_view rest, Literal& out) {
    if (!is_letter(rest.front())) return false;
    std::size_t end = 1;
    while (end < rest.size() && (is_letter(rest[end]) || is_digit(rest[end]))) ++end;
    out.kind = TokenKind::kName;
    out.text = rest.substr(0, end);
    out.size = end;
    return true;
}

void match_string(std::string_view rest, int line, Literal& out) {
    const char quote_mark = rest.front();
    std::size_t end = 1;
    while (end < rest.size() && rest[end] != quote_mark) end += rest[end] == '\\' ? 2 : 1;
    if (end >= rest.size()) fail(Code::kInvalidArgument, "chat template line {}: a string without an end", line);
    out.kind = TokenKind::kString;
    out.text = Unescaper(rest.substr(1, end - 1), line).run();
    out.size = end + 1;
}

}  // namespace rag::core::jinja
