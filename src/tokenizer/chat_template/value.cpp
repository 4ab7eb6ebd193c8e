#include "tokenizer/chat_template/value.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace rag::core::jinja {

namespace {

struct Bounds {
    std::uint32_t depth = 0;
    std::uint64_t weight = kValueBytes;

    void add(const Value& value) {
        depth = std::max(depth, value.depth());
        weight += value.weight();
    }
    void check() {
        if (++depth > kMaxValueDepth) fail(Code::kInvalidArgument, "values are nested more than {} deep", kMaxValueDepth);
        if (weight > kMaxValueWeight)
            fail(Code::kInvalidArgument, "a list or dict would hold more than {} bytes", kMaxValueWeight);
    }
};

}  // namespace

Value Value::undefined(std::string hint) {
    return Value(Undefined{std::make_shared<const std::string>(std::move(hint))});
}

Value Value::text(std::string bytes, bool markup) {
    return Value(Data(std::make_shared<const Text>(Text{std::move(bytes), markup})));
}

Value Value::sequence(SequenceKind kind, std::vector<Value> items, std::string label) {
    Bounds bounds;
    for (const Value& item : items) bounds.add(item);
    bounds.check();
    Sequence out{kind, std::move(items), bounds.depth, bounds.weight, false, std::move(label), 0, 1};
    return Value(Data(std::make_shared<const Sequence>(std::move(out))));
}

Value Value::range(std::vector<Value> items, std::string label, std::int64_t begin, std::int64_t step) {
    auto out = std::make_shared<Sequence>();
    out->kind = SequenceKind::kRange;
    out->weight = kValueBytes * (items.size() + 1);
    out->items = std::move(items);
    out->label = std::move(label);
    out->range_begin = begin;
    out->range_step = step;
    return Value(Data(SequencePtr(std::move(out))));
}

Value Value::map(Map entries) {
    Bounds bounds;
    for (const auto& [key, value] : entries.entries) {
        bounds.add(key);
        bounds.add(value);
        bounds.weight += 2 * kValueBytes;  // the index
    }
    bounds.check();
    entries.depth = bounds.depth;
    entries.weight = bounds.weight;
    return Value(Data(std::make_shared<const Map>(std::move(entries))));
}

const std::string* Value::string() const noexcept {
    const auto* text = as<TextPtr>();
    return text != nullptr ? &(*text)->bytes : nullptr;
}

bool Value::is_markup() const noexcept {
    const auto* text = as<TextPtr>();
    return text != nullptr && (*text)->markup;
}

const Sequence* Value::sequence() const noexcept {
    const auto* pointer = as<SequencePtr>();
    return pointer != nullptr ? pointer->get() : nullptr;
}

const Map* Value::mapping() const noexcept {
    const auto* pointer = as<MapPtr>();
    return pointer != nullptr ? pointer->get() : nullptr;
}

bool Value::integer_value(std::int64_t& out) const noexcept {
    if (const auto* whole = as<std::int64_t>()) {
        out = *whole;
        return true;
    }
    if (const auto* flag = as<bool>()) {
        out = *flag ? 1 : 0;
        return true;
    }
    return false;
}

bool Value::number_value(double& out) const noexcept {
    if (const auto* number = as<double>()) {
        out = *number;
        return true;
    }
    std::int64_t whole = 0;
    if (!integer_value(whole)) return false;
    out = static_cast<double>(whole);
    return true;
}

bool Value::is_number() const noexcept {
    double ignored = 0;
    return number_value(ignored);
}

bool Value::truth() const noexcept {
    if (is_undefined() || is_none()) return false;
    if (const auto* text = string()) return !text->empty();
    if (const auto* items = sequence()) return items->kind == SequenceKind::kGenerator || !items->items.empty();
    if (const auto* entries = mapping()) return !entries->entries.empty();
    double number = 0;
    if (number_value(number)) return number != 0;
    return true;
}

std::string_view Value::type_name() const noexcept {
    static constexpr std::string_view kNames[] = {"Undefined", "NoneType",  "bool",        "int",   "float",    "str",   "list",
                                                  "dict",      "Namespace", "LoopContext", "Macro", "function", "method"};
    if (is_markup()) return "Markup";
    if (const auto* items = sequence()) {
        switch (items->kind) {
            case SequenceKind::kList:
                return "list";
            case SequenceKind::kTuple:
                return "tuple";
            case SequenceKind::kGenerator:
                return "generator";
            case SequenceKind::kView:
                return items->label;
            case SequenceKind::kRange:
                return "range";
        }
    }
    return kNames[data_.index()];
}

std::uint32_t Value::depth() const noexcept {
    if (const auto* items = sequence()) return items->depth;
    if (const auto* entries = mapping()) return entries->depth;
    if (const auto* method = as<MethodPtr>()) return (*method)->self.depth();
    return 0;
}

std::uint64_t Value::weight() const noexcept {
    if (const auto* text = string()) return text->size() + kValueBytes;
    if (const auto* items = sequence()) return items->weight;
    if (const auto* entries = mapping()) return entries->weight;
    if (const auto* method = as<MethodPtr>()) return (*method)->self.weight() + kValueBytes;
    return kValueBytes;
}

void Map::set(const Value& key, Value value) {
    if (const auto* text = key.string()) {
        const auto [at, fresh] = index.try_emplace(*text, entries.size());
        if (!fresh) {
            entries[at->second].second = std::move(value);
            return;
        }
    } else {
        for (auto& [known, old] : entries) {
            if (known.string() == nullptr && equal(known, key)) {
                old = std::move(value);
                return;
            }
        }
    }
    entries.emplace_back(key, std::move(value));
}

const Value* Map::find(const std::string& key) const {
    const auto at = index.find(key);
    return at == index.end() ? nullptr : &entries[at->second].second;
}

const Value* Map::find(const Value& key) const {
    if (const auto* text = key.string()) return find(*text);
    for (const auto& [known, value] : entries) {
        if (known.string() == nullptr && equal(known, key)) return &value;
    }
    return nullptr;
}

namespace {

/// Python compares int and float exactly; both as double would make 2**53 + 1 equal to 2.0**53.
bool equal_numbers(const Value& a, const Value& b) noexcept {
    std::int64_t whole_a = 0;
    std::int64_t whole_b = 0;
    const bool exact_a = a.integer_value(whole_a);
    const bool exact_b = b.integer_value(whole_b);
    if (exact_a && exact_b) return whole_a == whole_b;
    double real_a = 0;
    double real_b = 0;
    a.number_value(real_a);
    b.number_value(real_b);
    if (real_a != real_b) return false;
    if (!exact_a && !exact_b) return true;
    const double real = exact_a ? real_b : real_a;
    return real < 9223372036854775808.0 && static_cast<std::int64_t>(real) == (exact_a ? whole_a : whole_b);
}

bool equal_maps(const Map& a, const Map& b) noexcept {
    if (a.entries.size() != b.entries.size()) return false;
    return std::all_of(a.entries.begin(), a.entries.end(), [&](const auto& entry) {
        const Value* other = b.find(entry.first);
        return other != nullptr && equal(entry.second, *other);
    });
}

bool equal_sequences(const Sequence& a, const Sequence& b) noexcept {
    if (&a == &b) return true;
    if (a.kind != b.kind || a.kind == SequenceKind::kGenerator) return false;
    return a.items.size() == b.items.size() && std::equal(a.items.begin(), a.items.end(), b.items.begin(), equal);
}

}  // namespace

bool equal(const Value& a, const Value& b) noexcept {
    if (a.is_number() || b.is_number()) return a.is_number() && b.is_number() && equal_numbers(a, b);
    if (a.data().index() != b.data().index()) return false;
    if (const auto* text = a.string()) return *text == *b.string();
    if (const auto* items = a.sequence()) return equal_sequences(*items, *b.sequence());
    if (const auto* entries = a.mapping()) return equal_maps(*entries, *b.mapping());
    if (const auto* space = a.as<Namespace*>()) return *space == *b.as<Namespace*>();
    if (const auto* loop = a.as<Loop*>()) return *loop == *b.as<Loop*>();
    if (const auto* macro = a.as<const Macro*>()) return *macro == *b.as<const Macro*>();
    if (const auto* function = a.as<const Function*>()) return *function == *b.as<const Function*>();
    if (const auto* method = a.as<MethodPtr>()) {
        const Method& other = **b.as<MethodPtr>();
        return (*method)->name == other.name && equal((*method)->self, other.self);
    }
    return true;  // undefined or none on both sides
}

bool hashable(const Value& value) noexcept {
    if (const auto* items = value.sequence()) {
        if (items->kind == SequenceKind::kTuple) return std::all_of(items->items.begin(), items->items.end(), hashable);
        return items->kind == SequenceKind::kRange || items->kind == SequenceKind::kGenerator;
    }
    return value.mapping() == nullptr;
}

}  // namespace rag::core::jinja
