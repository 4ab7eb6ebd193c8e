// Filters that lay out text, and lists in rows and columns: indent, center, truncate, batch, slice, groupby. By jinja2/filters.py
// 3.1.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

struct KeyedItem {
    Value key;    // what is compared
    Value shown;  // the key as it is
    Value item;
};

Value indent(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "indent", {"width", "first", "blank"});
    if (input.string() == nullptr) fail(Code::kInvalidArgument, "indent needs str, not {}", input.type_name());
    std::string space(4, ' ');
    if (bound.get(0) != nullptr && bound.get(0)->string() != nullptr) {
        space = bound.text(0);
    } else if (bound.get(0) != nullptr) {
        const std::int64_t width = bound.integer(0, 4);
        runtime.charge(static_cast<std::uint64_t>(std::max<std::int64_t>(width, 0)) / 64);
        space.assign(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    }
    const bool blank = bound.flag(2, false);
    std::string out = bound.flag(1, false) ? space : "";
    const std::vector<std::string> lines = split_lines(*input.string() + "\n", false);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        runtime.charge_bytes(space.size() + lines[i].size());
        if (i > 0) out += '\n';
        if (i > 0 && (blank || !lines[i].empty())) out += space;
        out += lines[i];
    }
    return Value::text(std::move(out), input.is_markup());
}

Value center(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "center", {"width"});
    runtime.charge_bytes(input.weight());
    Arguments width;
    width.positional.push_back(Value::integer(bound.integer(0, 80)));
    const Value out = call_text_method(runtime, Value::text(to_text(input)), "center", width);
    return Value::text(*out.string(), input.is_markup());
}

Value truncate(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "truncate", {"length", "killwords", "end", "leeway"});
    const std::int64_t length = bound.integer(0, 255);
    const std::string end = bound.get(2) != nullptr ? bound.text(2) : "...";
    const bool own_leeway = bound.get(3) != nullptr && !bound.get(3)->is_none();
    const std::int64_t leeway = own_leeway ? bound.integer(3, 0) : 5;
    const std::int64_t keep = length - static_cast<std::int64_t>(count_code_points(end));
    if (keep < 0 || leeway < 0) fail(Code::kInvalidArgument, "truncate: a length of {} and a leeway of {}", length, leeway);
    if (input.is_undefined()) return input;
    if (input.string() == nullptr) fail(Code::kInvalidArgument, "truncate needs str, not {}", input.type_name());
    runtime.charge_bytes(input.weight());
    const auto size = static_cast<std::int64_t>(count_code_points(*input.string()));
    if (size <= leeway || size - leeway <= length) return input;
    std::string out = first_code_points(*input.string(), static_cast<std::size_t>(keep));
    if (!bound.flag(1, false)) out.resize(std::min(out.rfind(' '), out.size()));
    return runtime.make_text(out + end, input.is_markup());
}

Value batch(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "batch", {"linecount", "fill_with"});
    static_cast<void>(bound.required(0));
    const std::int64_t size = bound.integer(0, 1);
    const SequencePtr walked = runtime.iterate(input);
    std::vector<Value> rows;
    std::vector<Value> row;
    for (const Value& item : walked->items) {
        runtime.charge(8);  // a row may be one item
        if (static_cast<std::int64_t>(row.size()) == size) rows.push_back(Value::list(std::exchange(row, {})));
        row.push_back(item);
    }
    if (!row.empty()) {
        const bool fill = bound.get(1) != nullptr && !bound.get(1)->is_none();
        while (fill && static_cast<std::int64_t>(row.size()) < size) {
            runtime.charge(1 + bound.get(1)->weight() / 64);
            row.push_back(*bound.get(1));
        }
        rows.push_back(Value::list(std::move(row)));
    }
    return Value::sequence(SequenceKind::kGenerator, std::move(rows));
}

Value slice(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "slice", {"slices", "fill_with"});
    static_cast<void>(bound.required(0));
    const std::int64_t columns = bound.integer(0, 1);
    const SequencePtr walked = runtime.iterate(input);
    if (columns == 0) fail(Code::kInvalidArgument, "slice: 0 slices");
    std::vector<Value> out;
    const auto size = static_cast<std::int64_t>(walked->items.size());
    auto at = walked->items.begin();
    for (std::int64_t i = 0; i < columns; ++i) {
        const std::int64_t count = size / columns + (i < size % columns ? 1 : 0);
        runtime.charge(static_cast<std::uint64_t>(8 + count));
        std::vector<Value> column(at, at + count);
        at += count;
        if (bound.get(1) != nullptr && !bound.get(1)->is_none() && i >= size % columns) column.push_back(*bound.get(1));
        out.push_back(Value::list(std::move(column)));
    }
    return Value::sequence(SequenceKind::kGenerator, std::move(out));
}

/// Pairs of the key and its items, sorted by the key; keys that differ in case only are one unless case_sensitive.
Value groupby(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "groupby", {"attribute", "default", "case_sensitive"});
    const bool exact = bound.flag(2, false);
    std::vector<KeyedItem> keyed;
    const SequencePtr walked = runtime.iterate(input);
    for (const Value& item : walked->items) {
        const Value key = attribute_path(runtime, item, bound.required(0), bound.get(1));
        const bool fold = !exact && key.string() != nullptr;
        keyed.push_back({fold ? runtime.make_text(lower(*key.string())) : key, key, item});
    }
    std::uint64_t weight = keyed.size();
    for (const KeyedItem& one : keyed) weight += one.key.weight() / 8;
    runtime.charge(weight);
    std::stable_sort(keyed.begin(), keyed.end(), [&](const KeyedItem& a, const KeyedItem& b) {
        runtime.charge(1);
        return less(a.key, b.key);
    });
    std::vector<Value> out;
    for (std::size_t i = 0; i < keyed.size();) {
        const KeyedItem& head = keyed[i];
        std::vector<Value> group;
        for (; i < keyed.size() && equal(keyed[i].key, head.key); ++i) group.push_back(keyed[i].item);
        if (group.empty()) group.push_back(keyed[i++].item);  // not even equal to itself: nan
        out.push_back(Value::sequence(SequenceKind::kTuple, {head.shown, Value::list(std::move(group))}, "group"));
    }
    return Value::list(std::move(out));
}

}  // namespace

FilterBody find_layout_filter(std::string_view name) {
    static const std::unordered_map<std::string_view, FilterBody> kTable = {
        {"indent", indent}, {"center", center}, {"truncate", truncate}, {"batch", batch}, {"slice", slice}, {"groupby", groupby},
    };
    const auto at = kTable.find(name);
    return at == kTable.end() ? nullptr : at->second;
}

}  // namespace rag::core::jinja
