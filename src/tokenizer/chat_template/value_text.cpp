// How values look as text: str(), repr() and json.dumps() as CPython 3 writes them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

std::string joined_repr(const std::vector<Value>& items) {
    std::string out;
    for (const Value& item : items) {
        if (!out.empty()) out += ", ";
        out += to_repr(item);
    }
    return out;
}

std::string sequence_repr(const Sequence& sequence) {
    switch (sequence.kind) {
        case SequenceKind::kList:
            return "[" + joined_repr(sequence.items) + "]";
        case SequenceKind::kTuple:
            return "(" + joined_repr(sequence.items) + (sequence.items.size() == 1 ? ",)" : ")");
        case SequenceKind::kView:
            return sequence.label + "([" + joined_repr(sequence.items) + "])";
        case SequenceKind::kRange:
            return sequence.label;
        case SequenceKind::kGenerator:
            break;
    }
    // Python would write an address.
    fail(Code::kUnsupported, "a lazy sequence has no text; pass it through the filter list or join");
}

std::string map_repr(const Map& map) {
    std::string out = "{";
    for (const auto& [key, value] : map.entries) {
        if (out.size() > 1) out += ", ";
        out += to_repr(key) + ": " + to_repr(value);
    }
    return out + "}";
}

void append_escaped(std::string& out, std::string_view text, bool ensure_ascii) {
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        const Utf8Step step = decode_utf8(text, at);
        const auto code = static_cast<std::uint32_t>(step.value);
        static constexpr std::string_view kPlain = "\"\\\n\r\t\f\b";
        static constexpr std::string_view kShort = "\"\\nrtfb";
        const std::size_t known = code < 0x80 ? kPlain.find(static_cast<char>(code)) : std::string_view::npos;
        if (known != std::string_view::npos) {
            out += '\\';
            out += kShort[known];
        } else if (code < 0x20 || (ensure_ascii && code >= 0x7f && code < 0x10000)) {
            out += fmt::format("\\u{:04x}", code);
        } else if (ensure_ascii && code >= 0x10000) {
            out +=
                fmt::format("\\u{:04x}\\u{:04x}", 0xd800U + ((code - 0x10000U) >> 10U), 0xdc00U + ((code - 0x10000U) & 0x3ffU));
        } else {
            out.append(text.substr(at, step.length));
        }
        at += step.length;
    }
    out += '"';
}

class JsonWriter {
  public:
    JsonWriter(std::string& out, const JsonStyle& style) : out_(out), style_(style) {}

    void write(const Value& value) {
        if (const auto* text = value.string()) {
            append_escaped(out_, *text, style_.ensure_ascii);
        } else if (const auto* items = value.sequence(); items != nullptr && items->kind <= SequenceKind::kTuple) {
            write_list(items->items);
        } else if (const auto* map = value.mapping()) {
            write_map(*map);
        } else {
            out_ += scalar(value);
        }
    }

  private:
    static std::string scalar(const Value& value) {
        if (value.is_none()) return "null";
        if (const auto* flag = value.as<bool>()) return *flag ? "true" : "false";
        if (const auto* number = value.as<double>()) {
            if (std::isnan(*number)) return "NaN";
            if (std::isinf(*number)) return *number > 0 ? "Infinity" : "-Infinity";
        }
        if (value.is_number()) return to_repr(value);
        fail(Code::kInvalidArgument, "a value of type {} has no JSON form", value.type_name());
    }

    void newline() {
        if (!style_.pretty) return;
        out_ += '\n';
        for (std::size_t i = 0; i < level_; ++i) out_ += style_.indent;
        if (out_.size() > kMaxValueWeight) fail(Code::kInvalidArgument, "JSON text longer than {} bytes", kMaxValueWeight);
    }

    void write_list(const std::vector<Value>& items) {
        out_ += '[';
        ++level_;
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i > 0) out_ += style_.item_separator;
            newline();
            write(items[i]);
        }
        --level_;
        if (!items.empty()) newline();
        out_ += ']';
    }

    void write_map(const Map& map) {
        std::vector<std::size_t> order(map.entries.size());
        for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
        if (style_.sort_keys) {
            std::stable_sort(order.begin(), order.end(),
                             [&](std::size_t a, std::size_t b) { return less(map.entries[a].first, map.entries[b].first); });
        }
        out_ += '{';
        ++level_;
        for (std::size_t i = 0; i < order.size(); ++i) {
            const auto& [key, value] = map.entries[order[i]];
            if (i > 0) out_ += style_.item_separator;
            newline();
            append_escaped(out_, key.string() != nullptr ? *key.string() : scalar(key), style_.ensure_ascii);
            out_ += style_.key_separator;
            write(value);
        }
        --level_;
        if (!order.empty()) newline();
        out_ += '}';
    }

    std::string& out_;
    const JsonStyle& style_;
    std::size_t level_ = 0;
};

}  // namespace

std::string float_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific).ptr;
    const std::string_view scientific(buffer, static_cast<std::size_t>(end - buffer));
    const std::size_t e = scientific.find('e');
    int exponent = 0;
    const std::string_view digits = scientific.substr(e + 1);
    std::from_chars(digits.data() + (digits.front() == '+' ? 1 : 0), digits.data() + digits.size(), exponent);
    // Python: plain notation from 1e-4 up to below 1e16.
    if (exponent < -4 || exponent >= 16)
        return fmt::format("{}e{}{:02d}", scientific.substr(0, e), exponent < 0 ? '-' : '+', std::abs(exponent));
    const auto fixed_end = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed).ptr;
    std::string out(buffer, fixed_end);
    if (out.find('.') == std::string::npos) out += ".0";
    return out;
}

std::string to_repr(const Value& value) {
    if (const auto* text = value.string()) return value.is_markup() ? "Markup(" + repr(*text) + ")" : repr(*text);
    if (value.is_undefined()) return "Undefined";
    if (value.is_none()) return "None";
    if (const auto* flag = value.as<bool>()) return *flag ? "True" : "False";
    if (const auto* whole = value.as<std::int64_t>()) return fmt::format("{}", *whole);
    if (const auto* number = value.as<double>()) return float_text(*number);
    if (const auto* items = value.sequence()) return sequence_repr(*items);
    if (const auto* map = value.mapping()) return map_repr(*map);
    fail(Code::kUnsupported, "the text of a value of type {} is not known", value.type_name());
}

std::string to_text(const Value& value) {
    if (const auto* text = value.string()) return *text;
    if (value.is_undefined()) return {};
    return to_repr(value);
}

void append_json(std::string& out, const Value& value, const JsonStyle& style) {
    JsonWriter(out, style).write(value);
}

}  // namespace rag::core::jinja
