// Filters of sequences: length, join, list, first, last, reverse, sort, unique, sum, min, max, map, select and its kin, items,
// dictsort. What Jinja makes lazy (map, select, unique, items) is a generator here too: it can be walked over once and has no
// length.
#include <algorithm>
#include <unordered_map>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/numbers.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/renderer.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

Value length(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "length", {});
    if (input.is_undefined()) return Value::integer(0);
    if (const auto* text = input.string()) {
        runtime.charge_bytes(text->size());
        return Value::integer(static_cast<std::int64_t>(count_code_points(*text)));
    }
    if (const auto* map = input.mapping()) return Value::integer(static_cast<std::int64_t>(map->entries.size()));
    if (Loop* const* loop = input.as<Loop*>()) return Value::integer(static_cast<std::int64_t>((*loop)->items->items.size()));
    const Sequence* items = input.sequence();
    if (items == nullptr || items->kind == SequenceKind::kGenerator)
        fail(Code::kInvalidArgument, "a {} has no length", input.type_name());
    return Value::integer(static_cast<std::int64_t>(items->items.size()));
}

}  // namespace

Value attribute_path(Runtime& runtime, Value item, const Value& path, const Value* otherwise) {
    std::vector<Value> parts;
    if (const auto* text = path.string()) {
        const std::string dot = ".";
        for (const std::string& part : split(*text, &dot, -1, false)) {
            std::int64_t index = 0;
            const bool digits = is_class(part, TextClass::kDigit) && parse_int(part, 10, index);
            parts.push_back(digits ? Value::integer(index) : Value::text(part));
        }
    } else if (!path.is_none()) {
        parts.push_back(path);
    }
    for (const Value& part : parts) {
        runtime.charge(1);
        item = get_item(runtime, item, part);
        if (otherwise != nullptr && !otherwise->is_none() && item.is_undefined()) item = *otherwise;
    }
    return item;
}

namespace {

Value key_of(Runtime& runtime, const Value& item, const Value* attribute, bool case_sensitive) {
    Value key = attribute != nullptr ? attribute_path(runtime, item, *attribute, nullptr) : item;
    if (!case_sensitive && key.string() != nullptr) key = runtime.make_text(lower(*key.string()));
    return key;
}

Value join(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "join", {"d", "attribute"});
    const std::string separator = bound.get(0) != nullptr ? to_text(*bound.get(0)) : "";
    std::string out;
    bool first = true;
    const SequencePtr walked = runtime.iterate(input);
    for (const Value& item : walked->items) {
        const bool by_attribute = bound.get(1) != nullptr && !bound.get(1)->is_none();
        const Value part = by_attribute ? attribute_path(runtime, item, *bound.get(1), nullptr) : item;
        runtime.charge_bytes(separator.size() + part.weight());
        if (!first) out += separator;
        first = false;
        out += to_text(part);
    }
    return Value::text(std::move(out));
}

Value to_list(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "list", {});
    const SequencePtr items = runtime.iterate(input);
    runtime.charge(items->items.size());
    return Value::list(items->items);
}

Value first(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "first", {});
    const SequencePtr items = runtime.iterate(input);
    return items->items.empty() ? Value::undefined("No first item, sequence was empty.") : items->items.front();
}

Value last(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "last", {});
    if (input.sequence() != nullptr && input.sequence()->kind == SequenceKind::kGenerator)
        fail(Code::kInvalidArgument, "a lazy sequence has no last item; pass it through the filter list");
    const SequencePtr items = runtime.iterate(input);
    return items->items.empty() ? Value::undefined("No last item, sequence was empty.") : items->items.back();
}

Value reverse(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "reverse", {});
    const bool lazy = input.sequence() != nullptr && input.sequence()->kind == SequenceKind::kGenerator;
    std::vector<Value> items = runtime.iterate(input)->items;
    runtime.charge(items.size());
    std::reverse(items.begin(), items.end());
    if (lazy) return Value::list(std::move(items));  // Python's reversed() does not take it, so jinja2 makes a list
    if (input.string() == nullptr) return Value::sequence(SequenceKind::kGenerator, std::move(items));
    std::string out;
    for (const Value& item : items) out += *item.string();
    return runtime.make_text(std::move(out));
}

/// Sorts by keys, stable; comparisons of unlike types are errors, as in Python.
std::vector<Value> sorted(Runtime& runtime, std::vector<std::pair<Value, Value>> keyed, bool descending) {
    std::uint64_t weight = keyed.size();
    for (const auto& pair : keyed) weight += pair.first.weight() / 8;
    runtime.charge(weight);
    if (descending) std::reverse(keyed.begin(), keyed.end());
    std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
        runtime.charge(1);
        return less(a.first, b.first);
    });
    if (descending) std::reverse(keyed.begin(), keyed.end());
    std::vector<Value> out;
    for (auto& pair : keyed) out.push_back(std::move(pair.second));
    return out;
}

Value sort(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "sort", {"reverse", "case_sensitive", "attribute"});
    const Value* attribute = bound.get(2);
    std::vector<std::pair<Value, Value>> keyed;
    const SequencePtr walked = runtime.iterate(input);
    for (const Value& item : walked->items) {
        std::vector<Value> keys;
        if (attribute != nullptr && attribute->string() != nullptr) {
            const std::string comma = ",";
            for (const std::string& part : split(*attribute->string(), &comma, -1, false)) {
                const Value path = Value::text(part);
                keys.push_back(key_of(runtime, item, &path, bound.flag(1, false)));
            }
        } else {
            keys.push_back(key_of(runtime, item, attribute, bound.flag(1, false)));
        }
        keyed.emplace_back(Value::list(std::move(keys)), item);
    }
    return Value::list(sorted(runtime, std::move(keyed), bound.flag(0, false)));
}

Value dictsort(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "dictsort", {"case_sensitive", "by", "reverse"});
    if (input.mapping() == nullptr) fail(Code::kInvalidArgument, "dictsort needs a dict, not {}", input.type_name());
    const std::string by = bound.get(1) != nullptr ? bound.text(1) : "key";
    if (by != "key" && by != "value") fail(Code::kInvalidArgument, "dictsort: by must be key or value");
    std::vector<std::pair<Value, Value>> keyed;
    for (const auto& [key, value] : input.mapping()->entries)
        keyed.emplace_back(key_of(runtime, by == "key" ? key : value, nullptr, bound.flag(0, false)), Value::tuple({key, value}));
    return Value::list(sorted(runtime, std::move(keyed), bound.flag(2, false)));
}

Value unique(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "unique", {"case_sensitive", "attribute"});
    Map seen;
    std::vector<Value> out;
    const SequencePtr walked = runtime.iterate(input);
    for (const Value& item : walked->items) {
        const Value key = key_of(runtime, item, bound.get(1), bound.flag(0, false));
        if (!hashable(key)) fail(Code::kInvalidArgument, "unique: a {} cannot be compared by hash", key.type_name());
        runtime.charge(1 + seen.entries.size() / 8);
        if (seen.find(key) != nullptr) continue;
        seen.set(key, Value::none());
        out.push_back(item);
    }
    return Value::sequence(SequenceKind::kGenerator, std::move(out));
}

Value sum(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "sum", {"attribute", "start"});
    Value total = bound.get(1) != nullptr ? *bound.get(1) : Value::integer(0);
    const SequencePtr walked = runtime.iterate(input);
    for (const Value& item : walked->items) {
        const bool by_attribute = bound.get(0) != nullptr && !bound.get(0)->is_none();
        const Value part = by_attribute ? attribute_path(runtime, item, *bound.get(0), nullptr) : item;
        if (total.string() != nullptr) fail(Code::kInvalidArgument, "sum does not add text; use join");
        runtime.charge_bytes(total.weight());
        total = binary(runtime, "+", total, part);
    }
    return total;
}

template <bool Largest>
Value extreme(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, Largest ? "max" : "min", {"case_sensitive", "attribute"});
    const SequencePtr items = runtime.iterate(input);
    if (items->items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
    Value best = items->items.front();
    Value best_key = key_of(runtime, best, bound.get(1), bound.flag(0, false));
    for (std::size_t i = 1; i < items->items.size(); ++i) {
        Value key = key_of(runtime, items->items[i], bound.get(1), bound.flag(0, false));
        runtime.charge_bytes(std::min(key.weight(), best_key.weight()));
        if (!(Largest ? less(best_key, key) : less(key, best_key))) continue;
        best = items->items[i];
        best_key = std::move(key);
    }
    return best;
}

Value items(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "items", {});
    std::vector<Value> out;
    if (input.mapping() == nullptr && !input.is_undefined())
        fail(Code::kInvalidArgument, "items needs a dict, not {}", input.type_name());
    if (input.mapping() != nullptr) {
        for (const auto& [key, value] : input.mapping()->entries) out.push_back(Value::tuple({key, value}));
    }
    runtime.charge(out.size());
    return Value::sequence(SequenceKind::kGenerator, std::move(out));
}

/// The first positional argument, taken out.
Value take_first(Arguments& arguments, std::string_view what) {
    if (arguments.positional.empty()) fail(Code::kInvalidArgument, "{} needs an argument", what);
    Value out = std::move(arguments.positional.front());
    arguments.positional.erase(arguments.positional.begin());
    return out;
}

// What is not true, such as tools that were not given, has nothing to walk over.
Value map(Runtime& runtime, const Value& input, Arguments& arguments) {
    std::vector<Value> out;
    if (!input.truth()) return Value::sequence(SequenceKind::kGenerator, std::move(out));
    if (arguments.positional.empty()) {
        const Bound bound(arguments, "map", {"attribute", "default"});
        const SequencePtr walked = runtime.iterate(input);
        for (const Value& item : walked->items) out.push_back(attribute_path(runtime, item, bound.required(0), bound.get(1)));
    } else {
        const Value name = take_first(arguments, "map");
        if (name.string() == nullptr) fail(Code::kInvalidArgument, "map needs the name of a filter, not {}", name.type_name());
        const SequencePtr walked = runtime.iterate(input);
        for (const Value& item : walked->items) out.push_back(apply_filter(runtime, *name.string(), item, arguments));
    }
    return Value::sequence(SequenceKind::kGenerator, std::move(out));
}

template <bool Wanted, bool ByAttribute>
Value choose(Runtime& runtime, const Value& input, Arguments& arguments) {
    if (!input.truth()) return Value::sequence(SequenceKind::kGenerator, {});  // as in map
    const Value attribute = ByAttribute ? take_first(arguments, "selectattr and rejectattr") : Value::none();
    std::optional<Value> test;
    if (!arguments.positional.empty()) test = take_first(arguments, "select");
    if (test && test->string() == nullptr) fail(Code::kInvalidArgument, "the name of a test is str, not {}", test->type_name());
    std::vector<Value> out;
    const SequencePtr walked = runtime.iterate(input);
    for (const Value& item : walked->items) {
        const Value subject = ByAttribute ? attribute_path(runtime, item, attribute, nullptr) : item;
        const bool holds = test ? apply_test(runtime, *test->string(), subject, arguments) : subject.truth();
        if (holds == Wanted) out.push_back(item);
    }
    return Value::sequence(SequenceKind::kGenerator, std::move(out));
}

}  // namespace

FilterBody find_sequence_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterBody> kTable = {
        {"length", length},
        {"count", length},
        {"join", join},
        {"list", to_list},
        {"first", first},
        {"last", last},
        {"reverse", reverse},
        {"sort", sort},
        {"dictsort", dictsort},
        {"unique", unique},
        {"sum", sum},
        {"min", extreme<false>},
        {"max", extreme<true>},
        {"items", items},
        {"map", map},
        {"select", choose<true, false>},
        {"reject", choose<false, false>},
        {"selectattr", choose<true, true>},
        {"rejectattr", choose<false, true>},
    };
    const auto at = kTable.find(name);
    return at == kTable.end() ? nullptr : at->second;
}

}  // namespace rag::core::jinja
