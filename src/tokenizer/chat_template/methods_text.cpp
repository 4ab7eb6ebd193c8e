// Methods of str.
#include <algorithm>
#include <unordered_map>

#include "core/error.hpp"
#include "core/find_text.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

using Call = Value (*)(Runtime& runtime, const std::string& self, Arguments& arguments);

Value texts(std::vector<std::string> parts, bool tuple = false) {
    std::vector<Value> out;
    out.reserve(parts.size());
    for (std::string& part : parts) out.push_back(Value::text(std::move(part)));
    return tuple ? Value::tuple(std::move(out)) : Value::list(std::move(out));
}

template <std::string (*Change)(std::string_view)>
Value changed(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "the method", {});
    return runtime.make_text(Change(self));
}

template <TextClass Wanted>
Value classified(Runtime&, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "the method", {});
    return Value::boolean(is_class(self, Wanted));
}

template <bool (*Check)(std::string_view)>
Value checked(Runtime&, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "the method", {});
    return Value::boolean(Check(self));
}

Value expanded(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "expandtabs", {"tabsize"});
    const std::int64_t size = bound.integer(0, 8);
    if (size > 0) runtime.charge_bytes(count(self, "\t") * std::min<std::uint64_t>(static_cast<std::uint64_t>(size), 1U << 30));
    return runtime.make_text(expand_tabs(self, size));
}

template <bool Left, bool Right>
Value stripped(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "strip", {"chars"});
    return runtime.make_text(std::string(strip(self, bound.optional_text(0), Left, Right)));
}

template <bool FromRight>
Value split_by(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "split", {"sep", "maxsplit"});
    const std::string* separator = bound.optional_text(0);
    if (separator != nullptr && separator->empty()) fail(Code::kInvalidArgument, "split: the separator is empty");
    auto parts = split(self, separator, bound.integer(1, -1), FromRight);
    runtime.charge(parts.size());
    return texts(std::move(parts));
}

Value split_at_lines(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "splitlines", {"keepends"});
    auto parts = split_lines(self, bound.flag(0, false));
    runtime.charge(parts.size());
    return texts(std::move(parts));
}

/// self[start:end] as str.find and its like cut it, in bytes; `base` is the byte where it begins. Null: start is behind the end.
std::optional<std::string_view> window(const std::string& self, const Bound& bound, std::size_t& base) {
    const bool given =
        (bound.get(1) != nullptr && !bound.get(1)->is_none()) || (bound.get(2) != nullptr && !bound.get(2)->is_none());
    base = 0;
    if (!given) return std::string_view(self);
    const std::vector<std::size_t> offsets = code_point_offsets(self);
    const auto size = static_cast<std::int64_t>(offsets.size()) - 1;
    const auto at = [&](std::size_t index, std::int64_t fallback) {
        std::int64_t out = bound.get(index) == nullptr || bound.get(index)->is_none() ? fallback : bound.integer(index, fallback);
        if (out < 0) out = std::max<std::int64_t>(out < -size ? 0 : out + size, 0);
        return out;
    };
    const std::int64_t begin = at(1, 0);
    const std::int64_t end = std::min(at(2, size), size);
    if (begin > end) return std::nullopt;
    base = offsets[static_cast<std::size_t>(begin)];
    return std::string_view(self).substr(base, offsets[static_cast<std::size_t>(end)] - base);
}

template <bool AtEnd>
Value begins_or_ends(Runtime&, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, AtEnd ? "endswith" : "startswith", {"prefix", "start", "end"});
    std::size_t base = 0;
    const auto part = window(self, bound, base);
    const auto matches = [&](const std::string& affix) {
        if (!part || affix.size() > part->size()) return false;
        return part->substr(AtEnd ? part->size() - affix.size() : 0, affix.size()) == affix;
    };
    if (const Sequence* choices = bound.required(0).sequence(); choices != nullptr && choices->kind == SequenceKind::kTuple) {
        for (const Value& choice : choices->items) {
            if (choice.string() == nullptr) fail(Code::kInvalidArgument, "startswith and endswith take str or a tuple of str");
        }
        return Value::boolean(std::any_of(choices->items.begin(), choices->items.end(),
                                          [&](const Value& choice) { return matches(*choice.string()); }));
    }
    return Value::boolean(matches(bound.text(0)));
}

template <bool FromRight, bool Required>
Value found(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, Required ? "index" : "find", {"sub", "start", "end"});
    std::size_t base = 0;
    const auto part = window(self, bound, base);
    runtime.charge_bytes(self.size());
    const std::string& wanted = bound.text(0);
    const std::size_t at = !part ? std::string_view::npos : FromRight ? find_last_text(*part, wanted) : find_text(*part, wanted);
    if (at != std::string_view::npos)
        return Value::integer(static_cast<std::int64_t>(count_code_points(std::string_view(self).substr(0, base + at))));
    if (Required) fail(Code::kInvalidArgument, "{} is not in the text", quote(wanted, 40));
    return Value::integer(-1);
}

Value counted(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "count", {"sub", "start", "end"});
    std::size_t base = 0;
    const auto part = window(self, bound, base);
    runtime.charge_bytes(self.size());
    return Value::integer(part ? static_cast<std::int64_t>(count(*part, bound.text(0))) : 0);
}

Value replaced(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "replace", {"old", "new", "count"});
    // Charged before it is built: a short text can become a long one.
    runtime.charge_bytes(self.size() + count(self, bound.text(0)) * bound.text(1).size());
    return runtime.make_text(replace(self, bound.text(0), bound.text(1), bound.integer(2, -1)));
}

Value joined(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "join", {"iterable"});
    std::string out;
    bool first = true;
    const SequencePtr walked = runtime.iterate(bound.required(0));
    for (const Value& item : walked->items) {
        if (item.string() == nullptr) fail(Code::kInvalidArgument, "join: an element is {}, not str", item.type_name());
        if (!first) out += self;
        first = false;
        out += *item.string();
        runtime.charge_bytes(self.size() + item.string()->size());
    }
    return Value::text(std::move(out));
}

template <bool FromRight>
Value partitioned(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "partition", {"sep"});
    const std::string& separator = bound.text(0);
    if (separator.empty()) fail(Code::kInvalidArgument, "partition: the separator is empty");
    runtime.charge_bytes(self.size());
    const std::size_t at = FromRight ? find_last_text(self, separator) : find_text(self, separator);
    if (at == std::string::npos) return FromRight ? texts({"", "", self}, true) : texts({self, "", ""}, true);
    return texts({self.substr(0, at), separator, self.substr(at + separator.size())}, true);
}

template <bool Suffix>
Value removed(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, Suffix ? "removesuffix" : "removeprefix", {"affix"});
    const std::string& affix = bound.text(0);
    const bool matches =
        affix.size() <= self.size() && self.compare(Suffix ? self.size() - affix.size() : 0, affix.size(), affix) == 0;
    if (!matches) return runtime.make_text(self);
    return runtime.make_text(Suffix ? self.substr(0, self.size() - affix.size()) : self.substr(affix.size()));
}

/// ljust, rjust, center: -1, 1, 0.
template <int Side>
Value justified(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "the method", {"width", "fillchar"});
    const std::string fill = bound.get(1) != nullptr ? bound.text(1) : " ";
    if (count_code_points(fill) != 1) fail(Code::kInvalidArgument, "the fill must be one character");
    static_cast<void>(bound.required(0));
    const std::int64_t width = bound.integer(0, 0);
    const auto size = static_cast<std::int64_t>(count_code_points(self));
    if (width <= size) return runtime.make_text(self);
    const std::int64_t pad = width - size;
    runtime.charge(static_cast<std::uint64_t>(pad) / 16);  // at most 4 bytes each
    std::int64_t left = Side < 0 ? 0 : Side > 0 ? pad : pad / 2 + (pad & width & 1);
    std::string out;
    for (std::int64_t i = 0; i < left; ++i) out += fill;
    out += self;
    for (std::int64_t i = left; i < pad; ++i) out += fill;
    return Value::text(std::move(out));
}

Value zero_filled(Runtime& runtime, const std::string& self, Arguments& arguments) {
    const Bound bound(arguments, "zfill", {"width"});
    static_cast<void>(bound.required(0));
    const std::int64_t pad = bound.integer(0, 0) - static_cast<std::int64_t>(count_code_points(self));
    if (pad <= 0) return runtime.make_text(self);
    runtime.charge_bytes(static_cast<std::uint64_t>(pad));
    const bool sign = !self.empty() && (self.front() == '+' || self.front() == '-');
    return runtime.make_text(self.substr(0, sign ? 1 : 0) + std::string(static_cast<std::size_t>(pad), '0') +
                             self.substr(sign ? 1 : 0));
}

const std::unordered_map<std::string_view, Call>& table() {
    static const std::unordered_map<std::string_view, Call> kTable = {
        {"upper", changed<upper>},
        {"lower", changed<lower>},
        {"casefold", changed<casefold>},
        {"capitalize", changed<capitalize>},
        {"title", changed<title>},
        {"swapcase", changed<swap_case>},
        {"isalpha", classified<TextClass::kAlpha>},
        {"isdigit", classified<TextClass::kDigit>},
        {"isnumeric", classified<TextClass::kNumeric>},
        {"isdecimal", classified<TextClass::kDecimal>},
        {"isalnum", classified<TextClass::kAlnum>},
        {"isspace", classified<TextClass::kSpace>},
        {"islower", classified<TextClass::kLower>},
        {"isupper", classified<TextClass::kUpper>},
        {"istitle", checked<is_title>},
        {"isascii", checked<is_ascii>},
        {"isprintable", checked<is_printable>},
        {"isidentifier", checked<is_identifier>},
        {"expandtabs", expanded},
        {"format", format_text},
        {"strip", stripped<true, true>},
        {"lstrip", stripped<true, false>},
        {"rstrip", stripped<false, true>},
        {"split", split_by<false>},
        {"rsplit", split_by<true>},
        {"splitlines", split_at_lines},
        {"startswith", begins_or_ends<false>},
        {"endswith", begins_or_ends<true>},
        {"find", found<false, false>},
        {"rfind", found<true, false>},
        {"index", found<false, true>},
        {"rindex", found<true, true>},
        {"count", counted},
        {"replace", replaced},
        {"join", joined},
        {"partition", partitioned<false>},
        {"rpartition", partitioned<true>},
        {"removeprefix", removed<false>},
        {"removesuffix", removed<true>},
        {"ljust", justified<-1>},
        {"rjust", justified<1>},
        {"center", justified<0>},
        {"zfill", zero_filled},
    };
    return kTable;
}

// What a method of safe text gives: its texts are safe too.
Value as_markup(const Value& value) {
    if (value.string() != nullptr) return Value::text(*value.string(), true);
    const Sequence* parts = value.sequence();
    if (parts == nullptr) return value;
    std::vector<Value> out;  // a list: the methods that give tuples take arguments
    for (const Value& part : parts->items) out.push_back(Value::text(*part.string(), true));
    return Value::list(std::move(out));
}

}  // namespace

Value call_text_method(Runtime& runtime, const Value& self, std::string_view name, Arguments& arguments) {
    const auto at = table().find(name);
    if (at == table().end()) fail(Code::kUnsupported, "the method {} of str is not known", quote(name, 40));
    // Markup's methods escape their arguments; only those that take none mean the same on both.
    if (self.is_markup() && (!arguments.positional.empty() || !arguments.named.empty()))
        fail(Code::kUnsupported, "the method {} of text marked safe is not known", quote(name, 40));
    runtime.charge_bytes(self.string()->size());
    const Value out = at->second(runtime, *self.string(), arguments);
    return self.is_markup() ? as_markup(out) : out;
}

}  // namespace rag::core::jinja
