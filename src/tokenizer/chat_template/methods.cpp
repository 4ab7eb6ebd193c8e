// Methods of dict, list and tuple, and the table of which methods exist. A Python method that librag does not know is
// Error(kUnsupported) when it is called, never an undefined value.
#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

constexpr std::array<std::string_view, 47> kText = {
    "capitalize",   "casefold",   "center",    "count",       "encode",    "endswith",     "expandtabs",   "find",
    "format",       "format_map", "index",     "isalnum",     "isalpha",   "isascii",      "isdecimal",    "isdigit",
    "isidentifier", "islower",    "isnumeric", "isprintable", "isspace",   "istitle",      "isupper",      "join",
    "ljust",        "lower",      "lstrip",    "maketrans",   "partition", "removeprefix", "removesuffix", "replace",
    "rfind",        "rindex",     "rjust",     "rpartition",  "rsplit",    "rstrip",       "split",        "splitlines",
    "startswith",   "strip",      "swapcase",  "title",       "translate", "upper",        "zfill"};
constexpr std::array<std::string_view, 6> kMap = {"copy", "fromkeys", "get", "items", "keys", "values"};
constexpr std::array<std::string_view, 5> kMapChanging = {"clear", "pop", "popitem", "setdefault", "update"};
constexpr std::array<std::string_view, 3> kList = {"copy", "count", "index"};
constexpr std::array<std::string_view, 8> kListChanging = {"append", "clear",  "extend",  "insert",
                                                           "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 2> kTuple = {"count", "index"};

template <std::size_t N>
bool listed(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

Value map_view(const Map& map, std::string_view which) {
    std::vector<Value> out;
    for (const auto& [key, value] : map.entries) {
        if (which == "items") {
            out.push_back(Value::tuple({key, value}));
        } else {
            out.push_back(which == "keys" ? key : value);
        }
    }
    return Value::sequence(SequenceKind::kView, std::move(out), "dict_" + std::string(which));
}

Value call_map_method(Runtime& runtime, const Value& self, std::string_view name, Arguments& arguments) {
    const Map& map = *self.mapping();
    if (name == "get") {
        const Bound bound(arguments, "dict.get", {"key", "default"});
        if (!hashable(bound.required(0)))
            fail(Code::kInvalidArgument, "a {} cannot be a key of a dict", bound.required(0).type_name());
        if (const Value* value = map.find(bound.required(0))) return *value;
        return bound.get(1) != nullptr ? *bound.get(1) : Value::none();
    }
    if (name == "fromkeys") fail(Code::kUnsupported, "the method \"fromkeys\" of dict is not known");
    const Bound bound(arguments, name, {});
    runtime.charge_bytes(self.weight());
    return name == "copy" ? self : map_view(map, name);
}

Value call_list_method(Runtime& runtime, const Value& self, std::string_view name, Arguments& arguments) {
    runtime.charge_bytes(self.weight());
    const auto& items = self.sequence()->items;
    if (name == "copy") return self;
    const Bound bound(arguments, name, {"value"});
    const auto same = [&](const Value& item) { return equal(item, bound.required(0)); };
    if (name == "count") return Value::integer(std::count_if(items.begin(), items.end(), same));
    const auto at = std::find_if(items.begin(), items.end(), same);
    if (at == items.end()) fail(Code::kInvalidArgument, "the value is not in the list");
    return Value::integer(at - items.begin());
}

}  // namespace

bool has_method(const Value& object, std::string_view name, bool& refused) {
    refused = false;
    if (object.string() != nullptr) return listed(kText, name);
    if (object.mapping() != nullptr) {
        refused = listed(kMapChanging, name);
        return refused || listed(kMap, name);
    }
    const Sequence* items = object.sequence();
    if (items == nullptr) return false;
    if (items->kind == SequenceKind::kList) {
        refused = listed(kListChanging, name);
        return refused || listed(kList, name);
    }
    return (items->kind == SequenceKind::kTuple || items->kind == SequenceKind::kRange) && listed(kTuple, name);
}

Value call_method(Runtime& runtime, const Method& method, Arguments& arguments) {
    if (method.self.string() != nullptr) return call_text_method(runtime, method.self, method.name, arguments);
    if (method.self.mapping() != nullptr) return call_map_method(runtime, method.self, method.name, arguments);
    return call_list_method(runtime, method.self, method.name, arguments);
}

}  // namespace rag::core::jinja
