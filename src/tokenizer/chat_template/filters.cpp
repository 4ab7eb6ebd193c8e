// Filters of text and of single values, and the lookup of all filters. By jinja2/filters.py 3.1 and transformers' tojson.
#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/numbers.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

/// str(value), charged; what jinja2's soft_str does.
std::string soft_text(Runtime& runtime, const Value& value) {
    runtime.charge_bytes(value.weight());
    return to_text(value);
}

/// `kKeeps`: safe text stays safe, as where jinja2 calls the method of the text.
template <std::string (*Change)(std::string_view), bool kKeeps>
Value changed(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "the filter", {});
    return runtime.make_text(Change(soft_text(runtime, input)), kKeeps && input.is_markup());
}

Value trim(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "trim", {"chars"});
    return runtime.make_text(std::string(strip(soft_text(runtime, input), bound.optional_text(0), true, true)),
                             input.is_markup());
}

Value replace_text(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "replace", {"old", "new", "count"});
    const std::string text = soft_text(runtime, input);
    const std::string old = soft_text(runtime, bound.required(0));
    const std::string fresh = soft_text(runtime, bound.required(1));
    const bool limited = bound.get(2) != nullptr && !bound.get(2)->is_none();
    runtime.charge_bytes(text.size() + count(text, old) * fresh.size());
    return runtime.make_text(replace(text, old, fresh, limited ? bound.integer(2, -1) : -1));
}

Value to_string(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "string", {});
    return runtime.make_text(soft_text(runtime, input), input.is_markup());
}

Value safe(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "safe", {});
    return runtime.make_text(soft_text(runtime, input), true);
}

Value escape(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "escape", {});
    const std::string text = soft_text(runtime, input);
    return runtime.make_text(input.is_markup() ? text : escape_html(text), true);
}

Value force_escape(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "forceescape", {});
    return runtime.make_text(escape_html(soft_text(runtime, input)), true);
}

Value fallback(Runtime&, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "default", {"default_value", "boolean"});
    if (!input.is_undefined() && (!bound.flag(1, false) || input.truth())) return input;
    return bound.get(0) != nullptr ? *bound.get(0) : Value::text("");
}

Value to_int(Runtime&, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "int", {"default", "base"});
    if (const auto* undefined = input.as<Undefined>())
        fail(Code::kInvalidArgument, "{}", undefined->hint ? *undefined->hint : "undefined");
    const Value otherwise = bound.get(0) != nullptr ? *bound.get(0) : Value::integer(0);
    if (const std::string* text = input.string()) {
        std::int64_t whole = 0;
        if (parse_int(*text, bound.integer(1, 10), whole)) return Value::integer(whole);
        double real = 0;
        return parse_float(*text, real) && std::isfinite(real) ? Value::integer(truncated(real)) : otherwise;
    }
    std::int64_t whole = 0;
    if (input.integer_value(whole)) return Value::integer(whole);
    double real = 0;
    return input.number_value(real) && std::isfinite(real) ? Value::integer(truncated(real)) : otherwise;
}

Value to_float(Runtime&, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "float", {"default"});
    if (const auto* undefined = input.as<Undefined>())
        fail(Code::kInvalidArgument, "{}", undefined->hint ? *undefined->hint : "undefined");
    double real = 0;
    if (input.string() != nullptr ? parse_float(*input.string(), real) : input.number_value(real)) return Value::real(real);
    return bound.get(0) != nullptr ? *bound.get(0) : Value::real(0);
}

Value absolute(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "abs", {});
    double real = 0;
    if (!input.number_value(real)) fail(Code::kInvalidArgument, "abs needs a number, not {}", input.type_name());
    std::int64_t whole = 0;
    if (!input.integer_value(whole)) return Value::real(std::fabs(real));
    return whole < 0 ? binary(runtime, "-", Value::integer(0), input) : Value::integer(whole);
}

Value rounded(Runtime&, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "round", {"precision", "method"});
    const std::int64_t precision = bound.integer(0, 0);
    const std::string method = bound.get(1) != nullptr ? bound.text(1) : "common";
    double real = 0;
    if (!input.number_value(real)) fail(Code::kInvalidArgument, "round needs a number, not {}", input.type_name());
    if (precision < 0 || precision > 300) fail(Code::kUnsupported, "round to {} digits is not known", precision);
    std::int64_t whole = 0;
    if (method == "common")
        return input.integer_value(whole) ? Value::integer(whole)
                                          : Value::real(round_half_even(real, static_cast<int>(precision)));
    if (method != "ceil" && method != "floor") fail(Code::kInvalidArgument, "round: method must be common, ceil or floor");
    const double scale = std::pow(10.0, static_cast<double>(precision));
    // Python's ceil and floor give an int, which has no negative zero.
    return Value::real(((method == "ceil" ? std::ceil(real * scale) : std::floor(real * scale)) + 0.0) / scale);
}

Value format(Runtime& runtime, const Value& input, Arguments& arguments) {
    if (!arguments.named.empty() && !arguments.positional.empty())
        fail(Code::kInvalidArgument, "the filter format takes values either by position or by name");
    if (arguments.named.empty())
        return percent_format(runtime, soft_text(runtime, input), Value::tuple(std::move(arguments.positional)));
    Map values;
    for (auto& [name, value] : arguments.named) values.set(Value::text(name), value);
    return percent_format(runtime, soft_text(runtime, input), Value::map(std::move(values)));
}

Value tojson(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
    JsonStyle style;
    style.ensure_ascii = bound.flag(0, false);
    style.sort_keys = bound.flag(3, false);
    if (const Value* depth = bound.get(1); depth != nullptr && !depth->is_none()) {
        style.pretty = true;
        style.item_separator = ",";
        const std::int64_t width = depth->string() != nullptr ? 0 : std::max<std::int64_t>(bound.integer(1, 0), 0);
        if (width > 1000) fail(Code::kUnsupported, "tojson with an indent of {} is not known", width);
        style.indent = depth->string() != nullptr ? *depth->string() : std::string(static_cast<std::size_t>(width), ' ');
    }
    if (const Value* pair = bound.get(2); pair != nullptr && !pair->is_none()) {
        const SequencePtr parts = runtime.iterate(*pair);
        if (parts->items.size() != 2 || parts->items[0].string() == nullptr || parts->items[1].string() == nullptr)
            fail(Code::kInvalidArgument, "tojson: separators are two texts");
        style.item_separator = *parts->items[0].string();
        style.key_separator = *parts->items[1].string();
    }
    runtime.charge_bytes(input.weight());
    std::string out;
    append_json(out, input, style);
    return runtime.make_text(std::move(out));
}

Value wordcount(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "wordcount", {});
    std::int64_t words = 0;
    bool inside = false;
    const std::string text = soft_text(runtime, input);
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        const std::string_view one = std::string_view(text).substr(at, step.length);
        const bool word = one == "_" || is_class(one, TextClass::kAlnum);
        if (word && !inside) ++words;
        inside = word;
        at += step.length;
    }
    return Value::integer(words);
}

const std::unordered_map<std::string_view, FilterBody>& table() {
    static const std::unordered_map<std::string_view, FilterBody> kTable = {
        {"upper", changed<upper, true>},
        {"lower", changed<lower, true>},
        {"capitalize", changed<capitalize, true>},
        {"title", changed<title_filter, false>},
        {"trim", trim},
        {"replace", replace_text},
        {"string", to_string},
        {"safe", safe},
        {"e", escape},
        {"escape", escape},
        {"forceescape", force_escape},
        {"default", fallback},
        {"d", fallback},
        {"int", to_int},
        {"float", to_float},
        {"abs", absolute},
        {"round", rounded},
        {"format", format},
        {"tojson", tojson},
        {"wordcount", wordcount},
    };
    return kTable;
}

}  // namespace

FilterBody find_filter(std::string_view name) {
    const auto at = table().find(name);
    if (at != table().end()) return at->second;
    FilterBody layout = find_layout_filter(name);
    return layout != nullptr ? layout : find_sequence_filter(name);
}

bool is_jinja_filter(std::string_view name) {
    static constexpr std::array<std::string_view, 9> kUnknown = {"attr",      "filesizeformat", "pprint",   "random", "striptags",
                                                                 "urlencode", "urlize",         "wordwrap", "xmlattr"};
    return std::find(kUnknown.begin(), kUnknown.end(), name) != kUnknown.end() || find_filter(name) != nullptr;
}

Value apply_filter(Runtime& runtime, std::string_view name, const Value& input, Arguments arguments) {
    const FilterBody body = find_filter(name);
    if (body == nullptr) fail(Code::kUnsupported, "unknown filter {}", quote(name, 40));
    return body(runtime, input, arguments);
}

}  // namespace rag::core::jinja
