// Subscripts as the sandbox allows them: object.name prefers methods over keys, object[key] keys over methods, and what begins
// with two underscores is out of reach.
#include <algorithm>

#include "core/error.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

[[noreturn]] void fail_undefined(const Value& value) {
    const auto& hint = value.as<Undefined>()->hint;
    fail(Code::kInvalidArgument, "{}", hint ? *hint : "an undefined value is used");
}

std::string object_name(const Value& object) {
    return object.is_none() ? "None" : fmt::format("\"{} object\"", object.type_name());
}

Value missing(const Value& object, const Value& key) {
    if (key.string() != nullptr)
        return Value::undefined(fmt::format("{} has no attribute {}", object_name(object), quote(*key.string())));
    const std::string text = key.is_number() || key.is_none() ? to_repr(key) : std::string(key.type_name());
    return Value::undefined(fmt::format("{} has no element {}", object_name(object), text));
}

/// A method of `object`, or null. Methods that change it, and Python's internals, are undefined values that say so.
std::optional<Value> find_method(const Value& object, const std::string& name) {
    bool refused = name.starts_with("__");
    const bool known = refused || has_method(object, name, refused);
    if (refused)
        return Value::undefined(fmt::format("access to attribute {} of {} is unsafe", quote(name, 40), object_name(object)));
    if (!known) return std::nullopt;
    return Value(Value::Data(std::make_shared<const Method>(Method{object, name})));
}

const Value* find_in_namespace(Runtime& runtime, const Value& object, const std::string& name) {
    const auto* space = object.as<Namespace*>();
    if (space == nullptr) return nullptr;
    const auto& attributes = (*space)->attributes;
    runtime.charge(attributes.size() / 8);
    const auto at = std::find_if(attributes.begin(), attributes.end(), [&](const auto& pair) { return pair.first == name; });
    return at == attributes.end() ? nullptr : &at->second;
}

/// What a macro tells about itself in jinja2.
void refuse_macro_attribute(const Value& object, const std::string& name) {
    if (object.as<const Macro*>() == nullptr) return;
    for (const std::string_view known : {"name", "arguments", "caller", "explicit_caller", "catch_kwargs", "catch_varargs"}) {
        if (name == known) fail(Code::kUnsupported, "the attribute {} of a macro is not known", quote(name));
    }
}

/// What the filter groupby gives has names for its two parts.
const Value* find_in_group(const Value& object, const std::string& name) {
    const Sequence* pair = object.sequence();
    if (pair == nullptr || pair->kind != SequenceKind::kTuple || pair->label != "group") return nullptr;
    return name == "grouper" ? &pair->items[0] : name == "list" ? &pair->items[1] : nullptr;
}

/// object[key] without a fallback to methods; null if there is no such element.
std::optional<Value> find_item(Runtime& runtime, const Value& object, const Value& key) {
    if (const auto* map = object.mapping()) {
        if (!hashable(key)) return std::nullopt;
        const Value* value = map->find(key);
        return value == nullptr ? std::nullopt : std::optional<Value>(*value);
    }
    std::int64_t index = 0;
    if (!key.integer_value(index)) return std::nullopt;
    if (const auto* text = object.string()) {
        runtime.charge_bytes(text->size());
        const std::vector<std::size_t> offsets = code_point_offsets(*text);
        const auto size = static_cast<std::int64_t>(offsets.size()) - 1;
        if (index < 0) index += size;
        if (index < 0 || index >= size) return std::nullopt;
        const auto at = static_cast<std::size_t>(index);
        return Value::text(text->substr(offsets[at], offsets[at + 1] - offsets[at]));
    }
    const Sequence* items = object.sequence();
    if (items == nullptr || items->kind == SequenceKind::kGenerator || items->kind == SequenceKind::kView) return std::nullopt;
    const auto size = static_cast<std::int64_t>(items->items.size());
    if (index < 0) index += size;
    if (index < 0 || index >= size) return std::nullopt;
    return items->items[static_cast<std::size_t>(index)];
}

struct Range {
    std::int64_t begin, end, step;
};

/// Python's slice.indices.
Range slice_indices(std::int64_t size, const Value& begin, const Value& end, const Value& step) {
    const auto number = [](const Value& value, std::int64_t fallback) {
        std::int64_t out = fallback;
        if (!value.is_none() && !value.integer_value(out)) {
            if (value.is_undefined()) fail_undefined(value);
            fail(Code::kInvalidArgument, "a slice is made of int or None, not {}", value.type_name());
        }
        return out;
    };
    Range out{0, 0, std::max<std::int64_t>(number(step, 1), -INT64_MAX)};
    if (out.step == 0) fail(Code::kInvalidArgument, "the step of a slice cannot be 0");
    const bool back = out.step < 0;
    const auto clamp = [&](std::int64_t at) {
        if (at < 0) at = at < -size ? -1 : at + size;
        return back ? std::clamp<std::int64_t>(at, -1, size - 1) : std::clamp<std::int64_t>(at, 0, size);
    };
    out.begin = begin.is_none() ? (back ? size - 1 : 0) : clamp(number(begin, 0));
    out.end = end.is_none() ? (back ? -1 : size) : clamp(number(end, 0));
    return out;
}

template <typename Visit>
void each_index(const Range& range, const Visit& visit) {
    if (range.step > 0) {
        for (std::int64_t i = range.begin; i < range.end; i += std::min(range.step, range.end - i))
            visit(static_cast<std::size_t>(i));
    } else {
        for (std::int64_t i = range.begin; i > range.end; i += std::max(range.step, range.end - i))
            visit(static_cast<std::size_t>(i));
    }
}

}  // namespace

Value get_attribute(Runtime& runtime, const Value& object, const std::string& name) {
    if (object.is_undefined()) fail_undefined(object);
    refuse_macro_attribute(object, name);
    if (const Value* part = find_in_group(object, name)) return *part;
    if (const Value* value = find_in_namespace(runtime, object, name)) return *value;
    if (auto method = find_method(object, name)) return *method;
    const Value key = Value::text(name);
    if (auto value = find_item(runtime, object, key)) return *value;
    return missing(object, key);
}

Value get_item(Runtime& runtime, const Value& object, const Value& key) {
    if (object.is_undefined()) fail_undefined(object);
    if (auto value = find_item(runtime, object, key)) return *value;
    if (key.string() != nullptr) {
        if (const Value* value = find_in_namespace(runtime, object, *key.string())) return *value;
        if (auto method = find_method(object, *key.string())) return *method;
    }
    return missing(object, key);
}

Value get_slice(Runtime& runtime, const Value& object, const Value& begin, const Value& end, const Value& step) {
    if (object.is_undefined()) fail_undefined(object);
    runtime.charge_bytes(object.weight());
    if (const auto* text = object.string()) {
        const std::vector<std::size_t> offsets = code_point_offsets(*text);
        const Range range = slice_indices(static_cast<std::int64_t>(offsets.size()) - 1, begin, end, step);
        std::string out;
        each_index(range, [&](std::size_t i) { out.append(*text, offsets[i], offsets[i + 1] - offsets[i]); });
        return Value::text(std::move(out), object.is_markup());
    }
    const Sequence* items = object.sequence();
    if (items == nullptr || items->kind == SequenceKind::kGenerator || items->kind == SequenceKind::kView)
        fail(Code::kInvalidArgument, "a {} cannot be sliced", object.type_name());
    const Range range = slice_indices(static_cast<std::int64_t>(items->items.size()), begin, end, step);
    std::vector<Value> out;
    each_index(range, [&](std::size_t i) { out.push_back(items->items[i]); });
    if (items->kind != SequenceKind::kRange) return Value::sequence(items->kind, std::move(out));
    // A part of a range is a range.
    const auto number = [&](std::int64_t index) {
        std::int64_t at = 0;
        if (__builtin_mul_overflow(index, items->range_step, &at) || __builtin_add_overflow(at, items->range_begin, &at))
            fail(Code::kInvalidArgument, "a slice of {} reaches beyond 64 bits", items->label);
        return at;
    };
    std::int64_t by = 0;
    if (__builtin_mul_overflow(items->range_step, range.step, &by))
        fail(Code::kInvalidArgument, "the step of a slice of {} is beyond 64 bits", items->label);
    return make_range(std::move(out), number(range.begin), number(range.end), by);
}

}  // namespace rag::core::jinja
