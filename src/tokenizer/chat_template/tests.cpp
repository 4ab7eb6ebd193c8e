// What stands behind `is`. By jinja2/tests.py 3.1.
#include <unordered_map>

#include "core/error.hpp"
#include "tokenizer/chat_template/python_text.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

using Check = bool (*)(const Value& value);

bool is_iterable(const Value& value) {
    return value.string() != nullptr || value.sequence() != nullptr || value.mapping() != nullptr || value.is_undefined();
}

bool is_sequence(const Value& value) {
    const Sequence* items = value.sequence();
    if (items != nullptr) return items->kind != SequenceKind::kGenerator && items->kind != SequenceKind::kView;
    return value.string() != nullptr || value.mapping() != nullptr || value.is_undefined();
}

bool is_callable(const Value& value) {
    return value.as<const Macro*>() != nullptr || value.as<const Function*>() != nullptr || value.as<MethodPtr>() != nullptr ||
           value.as<Loop*>() != nullptr || value.is_undefined();
}

/// Whether a filter or test has this name. jinja2 looks it up by hash.
bool is_known(const Value& name, bool (*find)(std::string_view)) {
    if (!hashable(name)) fail(Code::kInvalidArgument, "a {} is no name", name.type_name());
    return name.string() != nullptr && find(*name.string());
}

const std::unordered_map<std::string_view, Check>& checks() {
    static const std::unordered_map<std::string_view, Check> kTable = {
        {"defined", [](const Value& v) { return !v.is_undefined(); }},
        {"undefined", [](const Value& v) { return v.is_undefined(); }},
        {"none", [](const Value& v) { return v.is_none(); }},
        {"boolean", [](const Value& v) { return v.is_bool(); }},
        {"true", [](const Value& v) { return v.is_bool() && v.truth(); }},
        {"false", [](const Value& v) { return v.is_bool() && !v.truth(); }},
        {"integer", [](const Value& v) { return v.as<std::int64_t>() != nullptr; }},
        {"float", [](const Value& v) { return v.as<double>() != nullptr; }},
        {"number", [](const Value& v) { return v.is_number(); }},
        {"string", [](const Value& v) { return v.string() != nullptr; }},
        {"mapping", [](const Value& v) { return v.mapping() != nullptr; }},
        {"sequence", is_sequence},
        {"iterable", is_iterable},
        {"callable", is_callable},
        {"escaped", [](const Value& v) { return v.is_markup(); }},
        {"lower", [](const Value& v) { return is_class(to_text(v), TextClass::kLower); }},
        {"upper", [](const Value& v) { return is_class(to_text(v), TextClass::kUpper); }},
        {"filter", [](const Value& v) { return is_known(v, is_jinja_filter); }},
        {"test", [](const Value& v) { return is_known(v, [](std::string_view name) { return find_test(name) != nullptr; }); }},
    };
    return kTable;
}

template <const char* const& Op>
bool compared(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, Op, {"other"});
    return compare(runtime, Op, input, bound.required(0));
}

constexpr const char* kEqual = "==";
constexpr const char* kUnequal = "!=";
constexpr const char* kLess = "<";
constexpr const char* kLessEqual = "<=";
constexpr const char* kGreater = ">";
constexpr const char* kGreaterEqual = ">=";
constexpr const char* kIn = "in";

/// input % divisor == rest
bool has_rest(Runtime& runtime, const Value& input, const Value& divisor, std::int64_t rest) {
    return equal(binary(runtime, "%", input, divisor), Value::integer(rest));
}

bool divisible(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "divisibleby", {"num"});
    return has_rest(runtime, input, bound.required(0), 0);
}

template <std::int64_t Rest>
bool halved(Runtime& runtime, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, Rest == 0 ? "even" : "odd", {});
    return has_rest(runtime, input, Value::integer(2), Rest);
}

/// Python's `is`: the singletons; for everything else identity is not defined here.
bool same(Runtime&, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, "sameas", {"other"});
    const Value& other = bound.required(0);
    const auto single = [](const Value& v) { return v.is_none() || v.is_bool(); };
    if (!single(input) && !single(other)) fail(Code::kUnsupported, "sameas is known for none, true and false only");
    return input.data().index() == other.data().index() && equal(input, other);
}

bool dispatch(Runtime& runtime, std::string_view name, const Value& input, Arguments& arguments) {
    const Bound bound(arguments, name, {});
    // Only these two look at the whole text.
    runtime.charge_bytes(name == "lower" || name == "upper" ? input.weight() : 0);
    return checks().at(name)(input);
}

const std::unordered_map<std::string_view, TestBody>& with_arguments() {
    static const std::unordered_map<std::string_view, TestBody> kTable = {
        {"==", compared<kEqual>},
        {"eq", compared<kEqual>},
        {"equalto", compared<kEqual>},
        {"!=", compared<kUnequal>},
        {"ne", compared<kUnequal>},
        {"<", compared<kLess>},
        {"lt", compared<kLess>},
        {"lessthan", compared<kLess>},
        {"<=", compared<kLessEqual>},
        {"le", compared<kLessEqual>},
        {">", compared<kGreater>},
        {"gt", compared<kGreater>},
        {"greaterthan", compared<kGreater>},
        {">=", compared<kGreaterEqual>},
        {"ge", compared<kGreaterEqual>},
        {"in", compared<kIn>},
        {"divisibleby", divisible},
        {"odd", halved<1>},
        {"even", halved<0>},
        {"sameas", same},
    };
    return kTable;
}

}  // namespace

TestBody find_test(std::string_view name) {
    if (const auto at = with_arguments().find(name); at != with_arguments().end()) return at->second;
    // A check without arguments is reached through apply_test; any non-null answer says that it exists.
    return checks().contains(name) ? with_arguments().at("==") : nullptr;
}

bool apply_test(Runtime& runtime, std::string_view name, const Value& input, Arguments arguments) {
    if (checks().contains(name)) return dispatch(runtime, name, input, arguments);
    const auto at = with_arguments().find(name);
    if (at == with_arguments().end()) fail(Code::kUnsupported, "unknown test {}", quote(name, 40));
    return at->second(runtime, input, arguments);
}

}  // namespace rag::core::jinja
