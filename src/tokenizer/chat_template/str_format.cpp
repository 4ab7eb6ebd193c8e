// "{} and {name!r:>8}".format(...), the method of str, by Python's format string syntax and format specification mini-language:
// fields by position, number and name with attributes and subscripts, !s and !r, and specifications of str, int and float.
// As in Jinja's sandbox, an attribute that begins with two underscores is out of reach. Locale (n) is Error(kUnsupported).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/numbers.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

struct Spec {
    std::string fill = " ";
    char align = '\0';  // < > ^ =
    char sign = '-';
    bool alternate = false;
    bool zero = false;
    char group = '\0';  // , _
    std::size_t width = 0;
    int precision = -1;
    char type = '\0';
};

bool is_align(char c) {
    return c == '<' || c == '>' || c == '^' || c == '=';
}

std::size_t read_size(std::string_view text, std::size_t& at) {
    std::size_t out = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
        out = out * 10 + static_cast<std::size_t>(text[at++] - '0');
        if (out > 10000) fail(Code::kInvalidArgument, "a format width beyond 10000");
    }
    return out;
}

Spec read_spec(std::string_view text) {
    Spec out;
    std::size_t at = 0;
    const auto take = [&](std::string_view choices) {
        return at < text.size() && choices.find(text[at]) != std::string_view::npos ? text[at++] : '\0';
    };
    const std::size_t first = text.empty() ? 0 : decode_utf8(text, 0).length;
    if (first < text.size() && is_align(text[first])) {
        out.fill = text.substr(0, first);
        at = first;
    }
    out.align = take("<>^=");
    if (const char sign = take("+- "); sign != '\0') out.sign = sign;
    out.alternate = take("#") != '\0';
    out.zero = take("0") != '\0';
    if (out.zero && out.align == '\0') {
        out.fill = "0";
        out.align = '=';
    }
    out.width = read_size(text, at);
    out.group = take(",_");
    if (take(".") != '\0') {
        if (at >= text.size() || text[at] < '0' || text[at] > '9') fail(Code::kInvalidArgument, "a format without its precision");
        out.precision = static_cast<int>(read_size(text, at));
    }
    if (at + 1 < text.size()) fail(Code::kInvalidArgument, "the format {} is not valid", quote(text, 40));
    if (at < text.size()) out.type = text[at];
    return out;
}

/// Digits in groups from the right, up to the point or exponent; with zeros in front the zeros are grouped too.
std::string grouped(const Spec& spec, std::string digits, std::size_t prefix_size) {
    if (spec.group == '\0') return digits;
    const std::size_t every = spec.type == 'x' || spec.type == 'X' || spec.type == 'o' || spec.type == 'b' ? 4 : 3;
    const std::size_t whole = std::min(digits.find_first_not_of("0123456789abcdefABCDEF"), digits.size());
    const std::size_t point = every == 3 ? std::min(digits.find_first_not_of("0123456789"), digits.size()) : whole;
    std::string tail = digits.substr(point);
    digits.resize(point);
    const auto with_marks = [&](std::size_t size) { return size + (size - 1) / every; };
    if (spec.align == '=' && spec.fill == "0" && !digits.empty()) {
        while (prefix_size + with_marks(digits.size()) + tail.size() < spec.width) digits.insert(digits.begin(), '0');
    }
    std::string out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % every == 0) out += spec.group;
        out += digits[i];
    }
    return out + tail;
}

std::string aligned(const Spec& spec, const std::string& prefix, const std::string& body, char usual) {
    const std::size_t size = count_code_points(prefix) + count_code_points(body);
    if (size >= spec.width) return prefix + body;
    const std::size_t missing = spec.width - size;
    const char align = spec.align == '\0' ? usual : spec.align;
    const std::size_t before = align == '<' ? 0 : align == '^' ? missing / 2 : missing;
    std::string left;
    std::string right;
    for (std::size_t i = 0; i < missing; ++i) (i < before ? left : right) += spec.fill;
    return align == '=' ? prefix + left + body : left + prefix + body + right;
}

std::string sign_of(const Spec& spec, bool negative) {
    return negative ? "-" : spec.sign == '-' ? "" : std::string(1, spec.sign);
}

std::string format_real(const Spec& spec, double value) {
    std::string digits;
    const double magnitude = std::fabs(value);
    if (spec.type == '\0') {
        // As repr, but with a precision as g with at least one digit behind the point.
        digits =
            spec.precision < 0 ? float_text(magnitude) : real_digits(magnitude, 'r', std::max(spec.precision, 1), spec.alternate);
    } else if (spec.type == '%') {
        digits = real_digits(magnitude * 100, 'f', spec.precision < 0 ? 6 : spec.precision, spec.alternate) + "%";
    } else if (std::string_view("eEfFgG").find(spec.type) != std::string_view::npos) {
        digits = real_digits(magnitude, spec.type, spec.precision < 0 ? 6 : spec.precision, spec.alternate);
    } else {
        fail(spec.type == 'n' ? Code::kUnsupported : Code::kInvalidArgument, "the format {} does not take float",
             quote(std::string(1, spec.type)));
    }
    const std::string prefix = sign_of(spec, std::signbit(value) && !std::isnan(value));
    return aligned(spec, prefix, grouped(spec, std::move(digits), prefix.size()), '>');
}

std::string format_integer(Spec spec, std::int64_t value) {
    static constexpr std::string_view kReal = "eEfFgG%";
    if (kReal.find(spec.type) != std::string_view::npos) return format_real(spec, static_cast<double>(value));
    if (spec.precision >= 0) fail(Code::kInvalidArgument, "the format of an int has no precision");
    if (spec.type == 'c') {
        if (value < 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) || spec.group != '\0')
            fail(Code::kInvalidArgument, "the format c takes a code point, not {}", value);
        std::string body;
        append_utf8(body, static_cast<char32_t>(value));
        return aligned(spec, {}, body, '<');
    }
    if (spec.type == '\0') spec.type = 'd';
    if (std::string_view("dxXob").find(spec.type) == std::string_view::npos)
        fail(spec.type == 'n' ? Code::kUnsupported : Code::kInvalidArgument, "the format {} does not take int",
             quote(std::string(1, spec.type)));
    if (spec.group == ',' && spec.type != 'd') fail(Code::kInvalidArgument, "the format , goes with decimal digits only");
    const auto magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    std::string prefix = sign_of(spec, value < 0);
    if (spec.alternate && spec.type != 'd') prefix += std::string("0") + spec.type;
    return aligned(spec, prefix, grouped(spec, integer_digits(magnitude, spec.type), prefix.size()), '>');
}

std::string format_str(const Spec& spec, const std::string& value, bool zero_ok) {
    const bool plain = spec.sign == '-' && !spec.alternate && spec.group == '\0' && (spec.type == '\0' || spec.type == 's');
    if (!plain || (spec.align == '=' && !zero_ok)) fail(Code::kInvalidArgument, "the format is not one of str");
    const std::string body = spec.precision < 0 ? value : first_code_points(value, static_cast<std::size_t>(spec.precision));
    return aligned(spec, {}, body, '<');
}

std::string format_value(const Value& value, std::string_view text) {
    if (text.empty()) return to_text(value);
    Spec spec = read_spec(text);
    std::int64_t whole = 0;
    double real = 0;
    if (value.string() != nullptr) {
        // A 0 before the width fills a str too, at its end.
        const bool zero_only = spec.zero && spec.align == '=' && spec.fill == "0" && text.find('=') == std::string_view::npos;
        if (zero_only) spec.align = '<';
        return format_str(spec, *value.string(), zero_only);
    }
    if (value.integer_value(whole)) return format_integer(spec, whole);
    if (value.number_value(real)) return format_real(spec, real);
    fail(Code::kInvalidArgument, "a {} takes no format {}", value.type_name(), quote(text, 40));
}

/// One call of format: the fields in their order.
class Formatter {
  public:
    Formatter(Runtime& runtime, const Arguments& arguments) : runtime_(runtime), arguments_(arguments) {}

    std::string run(std::string_view text, int depth) {
        if (depth < 0) fail(Code::kInvalidArgument, "a format is nested too deeply");
        std::string out;
        for (std::size_t at = 0; at < text.size();) {
            const char c = text[at++];
            const bool doubled = at < text.size() && text[at] == c;
            if ((c == '{' || c == '}') && doubled) {
                out += c;
                ++at;
            } else if (c == '}') {
                fail(Code::kInvalidArgument, "a single }} in a format");
            } else if (c == '{') {
                out += field(field_text(text, at), depth);
            } else {
                out += c;
            }
        }
        return out;
    }

  private:
    /// The text up to the "}" that closes the field; `at` goes behind it.
    static std::string_view field_text(std::string_view text, std::size_t& at) {
        const std::size_t begin = at;
        bool in_subscript = false;
        for (int open = 1; at < text.size(); ++at) {
            if (text[at] == '[') in_subscript = true;
            if (text[at] == ']') in_subscript = false;
            if (in_subscript) continue;
            open += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
            if (open == 0) return text.substr(begin, at++ - begin);
        }
        fail(Code::kInvalidArgument, "a single {{ in a format");
    }

    std::string field(std::string_view text, int depth) {
        std::size_t end = 0;
        for (bool in_subscript = false; end < text.size(); ++end) {
            in_subscript = text[end] == '[' || (in_subscript && text[end] != ']');
            if (!in_subscript && (text[end] == '!' || text[end] == ':')) break;
        }
        Value value = find(text.substr(0, end));
        if (end < text.size() && text[end] == '!') {
            const char conversion = end + 1 < text.size() ? text[end + 1] : '\0';
            if (conversion == 'a') fail(Code::kUnsupported, "the conversion !a is not known");
            if ((conversion != 's' && conversion != 'r') || (end + 2 < text.size() && text[end + 2] != ':'))
                fail(Code::kInvalidArgument, "the conversion in the format {} is not valid", quote(text, 40));
            runtime_.charge_bytes(value.weight());
            value = Value::text(conversion == 's' ? to_text(value) : to_repr(value));
            end += 2;
        }
        const std::string spec = end < text.size() ? run(text.substr(end + 1), depth - 1) : std::string();
        runtime_.charge_bytes(value.weight() + spec.size());
        std::string out = format_value(value, spec);
        runtime_.charge_bytes(out.size());
        return out;
    }

    /// The value of "0.name[key]"; an empty path is the next position.
    Value find(std::string_view path) {
        std::size_t at = std::min(path.find_first_of(".["), path.size());
        if (at == 0 && !path.empty()) fail(Code::kInvalidArgument, "the field {} of a format names no value", quote(path, 40));
        Value value = argument(path.substr(0, at), at == path.size());
        while (at < path.size()) {
            const bool subscript = path[at] == '[';
            const std::size_t begin = at + 1;
            const std::size_t end = std::min(subscript ? path.find(']', begin) : path.find_first_of(".[", begin), path.size());
            if (end == begin || (subscript && end == path.size()))
                fail(Code::kInvalidArgument, "the field {} of a format is not valid", quote(path, 40));
            value = step(value, path.substr(begin, end - begin), subscript);
            at = end + (subscript ? 1 : 0);
            if (subscript && at < path.size() && path[at] != '.' && path[at] != '[')
                fail(Code::kInvalidArgument, "the field {} of a format is not valid", quote(path, 40));
        }
        return value;
    }

    Value step(const Value& value, std::string_view name, bool subscript) {
        runtime_.charge(1);
        std::int64_t index = 0;
        const bool digits = std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (subscript && digits && parse_int(name, 10, index)) return get_item(runtime_, value, Value::integer(index));
        if (subscript) return get_item(runtime_, value, Value::text(std::string(name)));
        return get_attribute(runtime_, value, std::string(name));
    }

    /// `whole`: the field has no more than this. Only then Python minds whether it counts by itself or by hand.
    const Value& argument(std::string_view name, bool whole) {
        const bool digits = std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (!digits) {
            const auto at = std::find_if(arguments_.named.begin(), arguments_.named.end(),
                                         [&](const auto& argument) { return argument.first == name; });
            if (at == arguments_.named.end())
                fail(Code::kInvalidArgument, "a format asks for {}, which is not given", quote(name, 40));
            return at->second;
        }
        const Numbering numbering = name.empty() ? Numbering::kAutomatic : Numbering::kByHand;
        if (whole && numbering_ != Numbering::kNone && numbering_ != numbering)
            fail(Code::kInvalidArgument, "a format numbers its fields by itself and by hand");
        if (whole) numbering_ = numbering;
        std::int64_t index = 0;
        if (name.empty()) {
            index = next_++;
        } else {
            parse_int(name, 10, index);
        }
        if (index >= static_cast<std::int64_t>(arguments_.positional.size()))
            fail(Code::kInvalidArgument, "a format asks for value {}, {} are given", index, arguments_.positional.size());
        return arguments_.positional[static_cast<std::size_t>(index)];
    }

    enum class Numbering : std::uint8_t { kNone, kAutomatic, kByHand };

    Runtime& runtime_;
    const Arguments& arguments_;
    Numbering numbering_ = Numbering::kNone;
    std::int64_t next_ = 0;
};

}  // namespace

Value format_text(Runtime& runtime, const std::string& self, Arguments& arguments) {
    return runtime.make_text(Formatter(runtime, arguments).run(self, 2));
}

}  // namespace rag::core::jinja
