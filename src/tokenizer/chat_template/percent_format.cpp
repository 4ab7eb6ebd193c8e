// Python's "format" % values: the conversions s r d i u x X o e E f F g G c and %, with flags, width and precision, and names
// that look into a dict. Others, and sizes given as *, are Error(kUnsupported).
#include <fmt/format.h>

#include <cmath>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/numbers.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

struct Spec {
    bool left = false;
    bool zero = false;
    bool plus = false;
    bool space = false;
    bool alternate = false;
    std::size_t width = 0;
    int precision = -1;
    char type = 's';
};

std::size_t read_number(const std::string& text, std::size_t& at) {
    std::size_t out = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
        out = out * 10 + static_cast<std::size_t>(text[at++] - '0');
        if (out > 10000) fail(Code::kInvalidArgument, "a format width beyond 10000");
    }
    return out;
}

Spec read_spec(const std::string& format, std::size_t& at) {
    Spec out;
    for (; at < format.size(); ++at) {
        if (format[at] == '-') {
            out.left = true;
        } else if (format[at] == '0') {
            out.zero = true;
        } else if (format[at] == '+') {
            out.plus = true;
        } else if (format[at] == ' ') {
            out.space = true;
        } else if (format[at] == '#') {
            out.alternate = true;
        } else {
            break;
        }
    }
    out.width = read_number(format, at);
    if (at < format.size() && format[at] == '.') {
        ++at;
        out.precision = static_cast<int>(read_number(format, at));
    }
    if (at >= format.size()) fail(Code::kInvalidArgument, "a format that ends after %");
    out.type = format[at++];
    if (out.type == 'i' || out.type == 'u') out.type = 'd';
    return out;
}

/// `prefix`: the sign and what says the base; zeros come behind it.
std::string pad(const Spec& spec, const std::string& prefix, const std::string& body, bool number) {
    const std::size_t size = count_code_points(body) + prefix.size();
    if (size >= spec.width) return prefix + body;
    const std::size_t missing = spec.width - size;
    if (spec.left) return prefix + body + std::string(missing, ' ');
    if (spec.zero && number) return prefix + std::string(missing, '0') + body;
    return std::string(missing, ' ') + prefix + body;
}

std::string sign_of(const Spec& spec, bool negative) {
    return negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
}

std::string real_text(const Spec& spec, double value) {
    const std::string digits = real_digits(std::fabs(value), spec.type, spec.precision < 0 ? 6 : spec.precision, spec.alternate);
    return pad(spec, sign_of(spec, std::signbit(value) && !std::isnan(value)), digits, true);
}

std::string integer_text(const Spec& spec, const Value& value) {
    std::int64_t whole = 0;
    if (!value.integer_value(whole)) {
        double real = 0;
        if (spec.type != 'd' || !value.number_value(real) || !std::isfinite(real))
            fail(Code::kInvalidArgument, "%{} does not take {}", spec.type, value.type_name());
        whole = truncated(real);
    }
    const auto magnitude = whole < 0 ? 0 - static_cast<std::uint64_t>(whole) : static_cast<std::uint64_t>(whole);
    std::string digits = integer_digits(magnitude, spec.type);
    if (spec.precision > static_cast<int>(digits.size()))
        digits.insert(0, static_cast<std::size_t>(spec.precision) - digits.size(), '0');
    std::string prefix = sign_of(spec, whole < 0);
    if (spec.alternate && spec.type != 'd') prefix += std::string("0") + spec.type;
    return pad(spec, prefix, digits, true);
}

std::string character(const Value& value) {
    std::int64_t code = 0;
    if (const std::string* text = value.string(); text != nullptr && count_code_points(*text) == 1) return *text;
    if (!value.integer_value(code) || code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        fail(Code::kInvalidArgument, "%c takes a code point or a str of one character, not {}", value.type_name());
    std::string out;
    append_utf8(out, static_cast<char32_t>(code));
    return out;
}

std::string one(const Spec& spec, const Value& value) {
    static constexpr std::string_view kReal = "eEfFgG";
    if (kReal.find(spec.type) != std::string_view::npos) {
        double real = 0;
        if (!value.number_value(real)) fail(Code::kInvalidArgument, "%{} does not take {}", spec.type, value.type_name());
        return real_text(spec, real);
    }
    switch (spec.type) {
        case 'd':
        case 'x':
        case 'X':
        case 'o':
            return integer_text(spec, value);
        case 'c':
            return pad(spec, {}, character(value), false);
        case 's':
        case 'r': {
            std::string body = spec.type == 's' ? to_text(value) : to_repr(value);
            if (spec.precision >= 0) body = first_code_points(body, static_cast<std::size_t>(spec.precision));
            return pad(spec, {}, body, false);
        }
        default:
            fail(Code::kUnsupported, "the format {} is not known", quote(std::string("%") + spec.type));
    }
}

/// The name in "(name)", with `at` behind the ")".
std::string read_name(const std::string& format, std::size_t& at) {
    const std::size_t begin = ++at;
    for (int open = 1; at < format.size(); ++at) {
        open += format[at] == '(' ? 1 : format[at] == ')' ? -1 : 0;
        if (open == 0) return format.substr(begin, at++ - begin);
    }
    fail(Code::kInvalidArgument, "a format whose %( is not closed");
}

const Value& named(const Value& arguments, const std::string& name) {
    const Map* map = arguments.mapping();
    if (map == nullptr) fail(Code::kInvalidArgument, "a format with names needs a dict, not {}", arguments.type_name());
    const Value* found = map->find(name);
    if (found == nullptr) fail(Code::kInvalidArgument, "the dict for the format has no {}", quote(name, 40));
    return *found;
}

}  // namespace

Value percent_format(Runtime& runtime, const std::string& format, const Value& arguments) {
    const Sequence* tuple = arguments.sequence();
    std::vector<Value> values = {arguments};
    if (tuple != nullptr && tuple->kind == SequenceKind::kTuple) values = tuple->items;
    std::size_t used = 0;
    std::string out;
    for (std::size_t at = 0; at < format.size();) {
        if (format[at] != '%') {
            out += format[at++];
            continue;
        }
        ++at;
        const bool by_name = at < format.size() && format[at] == '(';
        const Value* value = by_name ? &named(arguments, read_name(format, at)) : nullptr;
        const Spec spec = read_spec(format, at);
        if (spec.type == '%') {
            out += '%';
            continue;
        }
        if (value == nullptr && used >= values.size()) fail(Code::kInvalidArgument, "not enough values for the format");
        if (value == nullptr) value = &values[used++];
        runtime.charge_bytes(value->weight() + spec.width + static_cast<std::uint64_t>(std::max(spec.precision, 0)));
        out += one(spec, *value);
    }
    const bool optional =
        arguments.mapping() != nullptr || arguments.is_undefined() || (tuple != nullptr && tuple->kind != SequenceKind::kTuple);
    if (used < values.size() && !optional) fail(Code::kInvalidArgument, "not all values fit into the format");
    return runtime.make_text(std::move(out));
}

}  // namespace rag::core::jinja
