#include "tokenizer/chat_template/numbers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "core/error.hpp"
#include "tokenizer/chat_template/python_text.hpp"

namespace rag::core::jinja {

namespace {

bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Drops underscores that stand between two digits; false if one stands elsewhere.
bool drop_underscores(std::string_view text, std::string& out) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            out += text[i];
        } else if (i == 0 || i + 1 == text.size() || !is_alnum(text[i - 1]) || !is_alnum(text[i + 1])) {
            return false;
        }
    }
    return !out.empty();
}

}  // namespace

bool parse_int(std::string_view text, std::int64_t base, std::int64_t& out) {
    if (base != 0 && (base < 2 || base > 36)) return false;
    std::string_view rest = strip(text, nullptr, true, true);
    bool negative = false;
    if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
        negative = rest.front() == '-';
        rest.remove_prefix(1);
    }
    const char mark = rest.size() > 2 && rest[0] == '0' ? static_cast<char>(rest[1] | 0x20) : '\0';
    const std::int64_t prefix = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (prefix != 0 && (base == 0 || base == prefix)) {
        rest.remove_prefix(rest[2] == '_' ? 3 : 2);
        base = prefix;
    }
    const bool guessed = base == 0;
    if (guessed) base = 10;
    std::string digits = negative ? "-" : "";
    if (rest.empty() || !is_alnum(rest.front()) || !drop_underscores(rest, digits)) return false;
    if (guessed && digits.find_first_not_of("-0") != std::string::npos && rest.front() == '0') return false;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out, static_cast<int>(base));
    if (end != digits.data() + digits.size()) return false;
    if (error == std::errc::result_out_of_range)
        fail(Code::kInvalidArgument, "the integer {} is beyond 64 bits", quote(text, 40));
    return error == std::errc();
}

bool parse_float(std::string_view text, double& out) {
    std::string_view rest = strip(text, nullptr, true, true);
    bool negative = false;
    if (!rest.empty() && (rest.front() == '-' || rest.front() == '+')) {
        negative = rest.front() == '-';
        rest.remove_prefix(1);
    }
    std::string digits;
    if (rest.empty() || rest.front() == '-' || !drop_underscores(rest, digits)) return false;
    const std::string name = lower(digits);
    if (name == "inf" || name == "infinity" || name == "nan") {
        out = name == "nan" ? std::nan("") : HUGE_VAL;
    } else {
        if (name.find_first_not_of("0123456789.e+-") != std::string::npos) return false;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
        if (end != digits.data() + digits.size()) return false;
        if (error == std::errc::result_out_of_range) {
            // from_chars does not say which way; an exponent below zero means towards zero.
            out = name.find("e-") != std::string::npos ? 0.0 : HUGE_VAL;
        } else if (error != std::errc()) {
            return false;
        }
    }
    if (negative) out = -out;
    return true;
}

std::int64_t truncated(double value) {
    const double whole = std::trunc(value);
    if (!(whole >= -9223372036854775808.0 && whole < 9223372036854775808.0))
        fail(Code::kInvalidArgument, "the integer {:g} is beyond 64 bits", value);
    return static_cast<std::int64_t>(whole);
}

namespace {

/// repr() ends with a digit behind the point, or where none is left of the precision with an exponent. `text`: as %g writes it.
std::string with_digit_behind_point(std::string text, double magnitude, int precision, bool alternate) {
    const std::string plain = alternate ? fmt::format("{:.{}g}", magnitude, precision) : text;
    if (plain.find_first_of(".e") != std::string::npos) return text;
    if (plain.size() < static_cast<std::size_t>(precision)) return alternate ? text : text + ".0";
    if (alternate) return fmt::format("{:#.{}e}", magnitude, precision - 1);
    text = fmt::format("{:.{}e}", magnitude, precision - 1);
    if (text.find('.') == std::string::npos) return text;
    const std::size_t exponent = text.find('e');
    std::size_t end = text.find_last_not_of('0', exponent - 1) + 1;
    if (text[end - 1] == '.') --end;
    return text.erase(end, exponent - end);
}

}  // namespace

std::string real_digits(double magnitude, char type, int precision, bool alternate) {
    const bool capital = type == 'E' || type == 'F' || type == 'G';
    if (!std::isfinite(magnitude)) return std::isnan(magnitude) ? (capital ? "NAN" : "nan") : (capital ? "INF" : "inf");
    std::string out;
    switch (type) {
        case 'e':
        case 'E':
            out = alternate ? fmt::format("{:#.{}e}", magnitude, precision) : fmt::format("{:.{}e}", magnitude, precision);
            break;
        case 'f':
        case 'F':
            out = alternate ? fmt::format("{:#.{}f}", magnitude, precision) : fmt::format("{:.{}f}", magnitude, precision);
            break;
        default:
            out = alternate ? fmt::format("{:#.{}g}", magnitude, precision) : fmt::format("{:.{}g}", magnitude, precision);
    }
    if (type == 'r') out = with_digit_behind_point(std::move(out), magnitude, precision, alternate);
    if (capital) std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c == 'e' ? 'E' : c; });
    return out;
}

std::string integer_digits(std::uint64_t magnitude, char type) {
    switch (type) {
        case 'x':
            return fmt::format("{:x}", magnitude);
        case 'X':
            return fmt::format("{:X}", magnitude);
        case 'o':
            return fmt::format("{:o}", magnitude);
        case 'b':
            return fmt::format("{:b}", magnitude);
        default:
            return fmt::format("{}", magnitude);
    }
}

double round_half_even(double value, int digits) {
    if (!std::isfinite(value)) return value;
    const std::string text = fmt::format("{:.{}f}", value, digits);  // exact decimal expansion, ties to even
    double out = value;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

}  // namespace rag::core::jinja
