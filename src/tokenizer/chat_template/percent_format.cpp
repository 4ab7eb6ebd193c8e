// Python's "format" % values, for %s, %r, %d, %i, %x, %f and %% with flags, width and precision. Others are Error(kUnsupported).
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
    return out;
}

std::string pad(const Spec& spec, std::string body, bool number) {
    const std::size_t size = count_code_points(body);
    if (size >= spec.width) return body;
    const std::size_t missing = spec.width - size;
    if (spec.left) return body + std::string(missing, ' ');
    if (!spec.zero || !number) return std::string(missing, ' ') + body;
    const std::size_t sign = body.find_first_of("+- ") == 0 ? 1 : 0;
    return body.substr(0, sign) + std::string(missing, '0') + body.substr(sign);
}

std::string signed_text(const Spec& spec, bool negative, const std::string& digits) {
    return (negative ? "-" : spec.plus ? "+" : spec.space ? " " : "") + digits;
}

std::string number_text(const Spec& spec, const Value& value) {
    double real = 0;
    if (!value.number_value(real)) fail(Code::kInvalidArgument, "%{} needs a number, not {}", spec.type, value.type_name());
    if (spec.type == 'f') {
        if (!std::isfinite(real)) return signed_text(spec, std::signbit(real), float_text(std::fabs(real)));
        return signed_text(spec, std::signbit(real),
                           fmt::format("{:.{}f}", std::fabs(real), spec.precision < 0 ? 6 : spec.precision));
    }
    std::int64_t whole = 0;
    if (!value.integer_value(whole)) {
        if (spec.type == 'x' || !std::isfinite(real)) fail(Code::kInvalidArgument, "%{} needs an integer", spec.type);
        whole = truncated(real);
    }
    const auto magnitude = whole < 0 ? 0 - static_cast<std::uint64_t>(whole) : static_cast<std::uint64_t>(whole);
    std::string digits = spec.type == 'x' ? fmt::format("{:x}", magnitude) : fmt::format("{}", magnitude);
    if (spec.precision > static_cast<int>(digits.size()))
        digits.insert(0, static_cast<std::size_t>(spec.precision) - digits.size(), '0');
    return signed_text(spec, whole < 0, digits);
}

std::string one(const Spec& spec, const Value& value) {
    if (spec.type == 's' || spec.type == 'r') {
        std::string body = spec.type == 's' ? to_text(value) : to_repr(value);
        if (spec.precision >= 0) {
            const std::vector<std::size_t> offsets = code_point_offsets(body);
            const auto keep = static_cast<std::size_t>(spec.precision);
            if (keep + 1 < offsets.size()) body.resize(offsets[keep]);
        }
        return pad(spec, std::move(body), false);
    }
    Spec number = spec;
    if (number.type == 'i') number.type = 'd';
    if (number.type != 'd' && number.type != 'x' && number.type != 'f')
        fail(Code::kUnsupported, "the format {} is not known", quote(std::string("%") + spec.type));
    return pad(number, number_text(number, value), true);
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
        if (at < format.size() && format[at] == '(') fail(Code::kUnsupported, "formats with names, %(name)s, are not known");
        const Spec spec = read_spec(format, at);
        if (spec.type == '%') {
            out += '%';
            continue;
        }
        if (used >= values.size()) fail(Code::kInvalidArgument, "not enough values for the format");
        runtime.charge_bytes(values[used].weight() + spec.width);
        out += one(spec, values[used++]);
    }
    const bool optional = arguments.mapping() != nullptr || (tuple != nullptr && tuple->kind != SequenceKind::kTuple);
    if (used < values.size() && !optional) fail(Code::kInvalidArgument, "not all values fit into the format");
    return runtime.make_text(std::move(out));
}

}  // namespace rag::core::jinja
