// Python's operators: arithmetic with 64-bit overflow as an error, concatenation, repetition, comparison and membership.
#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "core/find_text.hpp"
#include "tokenizer/chat_template/renderer.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

[[noreturn]] void fail_operands(std::string_view op, const Value& a, const Value& b) {
    for (const Value* value : {&a, &b}) {
        if (const auto* undefined = value->as<Undefined>(); undefined != nullptr && undefined->hint)
            fail(Code::kInvalidArgument, "{}", *undefined->hint);
    }
    fail(Code::kInvalidArgument, "{} does not go between {} and {}", quote(op), a.type_name(), b.type_name());
}

[[noreturn]] void fail_overflow(std::string_view op) {
    fail(Code::kInvalidArgument, "the result of {} is beyond 64 bits", quote(op));
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
    std::int64_t out = 1;
    while (exponent > 0) {
        if ((exponent & 1) != 0 && __builtin_mul_overflow(out, base, &out)) fail_overflow("**");
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_overflow("**");
    }
    return out;
}

Value divide_floor(std::string_view op, std::int64_t a, std::int64_t b) {
    if (b == 0) fail(Code::kInvalidArgument, "division by zero");
    if (a == INT64_MIN && b == -1) {
        if (op == "//") fail_overflow(op);
        return Value::integer(0);
    }
    std::int64_t quotient = a / b;
    std::int64_t rest = a % b;
    if (rest != 0 && (rest < 0) != (b < 0)) {
        --quotient;
        rest += b;
    }
    return Value::integer(op == "//" ? quotient : rest);
}

Value integers(std::string_view op, std::int64_t a, std::int64_t b) {
    std::int64_t out = 0;
    bool overflow = false;
    if (op == "+") {
        overflow = __builtin_add_overflow(a, b, &out);
    } else if (op == "-") {
        overflow = __builtin_sub_overflow(a, b, &out);
    } else if (op == "*") {
        overflow = __builtin_mul_overflow(a, b, &out);
    } else if (op == "/") {
        if (b == 0) fail(Code::kInvalidArgument, "division by zero");
        return Value::real(static_cast<double>(a) / static_cast<double>(b));
    } else if (op == "**") {
        if (b >= 0) return Value::integer(integer_power(a, b));
        if (a == 0) fail(Code::kInvalidArgument, "0 cannot be raised to a negative power");
        return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
    } else {
        return divide_floor(op, a, b);
    }
    if (overflow) fail_overflow(op);
    return Value::integer(out);
}

Value reals(std::string_view op, double a, double b) {
    if (op == "+") return Value::real(a + b);
    if (op == "-") return Value::real(a - b);
    if (op == "*") return Value::real(a * b);
    if (op == "**") {
        const double out = std::pow(a, b);
        if (std::isnan(out) && !std::isnan(a) && !std::isnan(b)) fail(Code::kInvalidArgument, "a complex number as power");
        return Value::real(out);
    }
    if (b == 0) fail(Code::kInvalidArgument, "division by zero");
    if (op == "/") return Value::real(a / b);
    const double rest = std::fmod(a, b);
    const bool below = rest != 0 && (rest < 0) != (b < 0);
    if (op == "%") return Value::real(rest == 0 ? std::copysign(0.0, b) : below ? rest + b : rest);
    // As CPython's float_floor_div: the quotient is nearly whole, and a zero has the sign of a / b.
    const double quotient = (a - rest) / b - (below ? 1 : 0);
    if (quotient == 0) return Value::real(std::copysign(0.0, a / b));
    const double whole = std::floor(quotient);
    return Value::real(quotient - whole > 0.5 ? whole + 1 : whole);
}

Value repeat(Runtime& runtime, const Value& what, std::int64_t times) {
    const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(times, 0));
    const std::uint64_t weight = what.string() != nullptr ? what.string()->size() : what.weight();
    if (weight != 0 && size > kMaxValueWeight / weight)
        fail(Code::kInvalidArgument, "{} repetitions make a value larger than {} bytes", times, kMaxValueWeight);
    runtime.charge_bytes(weight * size);
    if (const auto* text = what.string()) {
        std::string out;
        if (!text->empty()) {
            for (std::uint64_t i = 0; i < size; ++i) out += *text;
        }
        return Value::text(std::move(out), what.is_markup());
    }
    std::vector<Value> out;
    for (std::uint64_t i = 0; i < size; ++i) out.insert(out.end(), what.sequence()->items.begin(), what.sequence()->items.end());
    return Value::sequence(what.sequence()->kind, std::move(out));
}

bool is_list_or_tuple(const Value& value) {
    return value.sequence() != nullptr && value.sequence()->kind <= SequenceKind::kTuple;
}

Value add(Runtime& runtime, const Value& a, const Value& b) {
    if (a.string() != nullptr && b.string() != nullptr) {
        const bool markup = a.is_markup() || b.is_markup();
        const auto part = [&](const Value& value) {
            return markup && !value.is_markup() ? escape_html(*value.string()) : *value.string();
        };
        return runtime.make_text(part(a) + part(b), markup);
    }
    if (!is_list_or_tuple(a) || !is_list_or_tuple(b) || a.sequence()->kind != b.sequence()->kind) fail_operands("+", a, b);
    runtime.charge_bytes(a.weight() + b.weight());
    std::vector<Value> items = a.sequence()->items;
    items.insert(items.end(), b.sequence()->items.begin(), b.sequence()->items.end());
    return Value::sequence(a.sequence()->kind, std::move(items));
}

}  // namespace

Value binary(Runtime& runtime, std::string_view op, const Value& a, const Value& b) {
    std::int64_t whole_a = 0;
    std::int64_t whole_b = 0;
    const bool is_a = a.integer_value(whole_a);
    const bool is_b = b.integer_value(whole_b);
    if (is_a && is_b) return integers(op, whole_a, whole_b);
    double real_a = 0;
    double real_b = 0;
    if (a.number_value(real_a) && b.number_value(real_b)) return reals(op, real_a, real_b);
    if (op == "+") return add(runtime, a, b);
    if (op == "%" && a.string() != nullptr) return percent_format(runtime, *a.string(), b);
    if (op == "*" && is_b && (a.string() != nullptr || is_list_or_tuple(a))) return repeat(runtime, a, whole_b);
    if (op == "*" && is_a && (b.string() != nullptr || is_list_or_tuple(b))) return repeat(runtime, b, whole_a);
    const auto is_view = [](const Value& value) {
        return value.sequence() != nullptr && value.sequence()->kind == SequenceKind::kView;
    };
    if (op == "-" && (is_view(a) || is_view(b)))
        fail(Code::kUnsupported, "the set that a dict's view makes with \"-\" is not known");
    fail_operands(op, a, b);
}

bool less(const Value& a, const Value& b) {
    std::int64_t whole_a = 0;
    std::int64_t whole_b = 0;
    if (a.integer_value(whole_a) && b.integer_value(whole_b)) return whole_a < whole_b;
    double real_a = 0;
    double real_b = 0;
    if (a.number_value(real_a) && b.number_value(real_b)) return real_a < real_b;
    if (a.string() != nullptr && b.string() != nullptr)
        return *a.string() < *b.string();  // bytes of UTF-8 order as code points do
    if (!is_list_or_tuple(a) || !is_list_or_tuple(b) || a.sequence()->kind != b.sequence()->kind) fail_operands("<", a, b);
    const auto& left = a.sequence()->items;
    const auto& right = b.sequence()->items;
    const std::size_t common = std::min(left.size(), right.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (!equal(left[i], right[i])) return less(left[i], right[i]);
    }
    return left.size() < right.size();
}

bool contains(Runtime& runtime, const Value& container, const Value& item) {
    runtime.charge_bytes(container.mapping() != nullptr ? 0 : container.weight());
    if (const auto* text = container.string()) {
        if (item.string() == nullptr) fail(Code::kInvalidArgument, "\"in\" of a str needs a str, not {}", item.type_name());
        return find_text(*text, *item.string()) != std::string::npos;
    }
    if (const auto* map = container.mapping()) {
        if (!hashable(item)) fail(Code::kInvalidArgument, "a {} cannot be a key of a dict", item.type_name());
        return map->find(item) != nullptr;
    }
    if (Loop* const* loop = container.as<Loop*>()) {
        // jinja2's loop is walked over to its end: no round follows. What it gives are pairs of an item and the loop itself.
        if (item.sequence() != nullptr && item.sequence()->kind == SequenceKind::kTuple)
            fail(Code::kUnsupported, "\"in\" does not look for tuples in a loop");
        (*loop)->index = std::max<std::size_t>((*loop)->items->items.size(), 1) - 1;
        return false;
    }
    if (container.sequence() == nullptr && !container.is_undefined())
        fail(Code::kInvalidArgument, "\"in\" does not look into {}", container.type_name());
    const SequencePtr items = runtime.iterate(container);
    return std::any_of(items->items.begin(), items->items.end(), [&](const Value& known) { return equal(known, item); });
}

bool compare(Runtime& runtime, std::string_view op, const Value& a, const Value& b) {
    if (op == "in") return contains(runtime, b, a);
    if (op == "not in") return !contains(runtime, b, a);
    runtime.charge_bytes(std::min(a.weight(), b.weight()));
    if (op == "==") return equal(a, b);
    if (op == "!=") return !equal(a, b);
    const double nan_free = [&] {
        double real_a = 0;
        double real_b = 0;
        return a.number_value(real_a) && b.number_value(real_b) ? real_a + real_b : 0.0;
    }();
    if (std::isnan(nan_free)) return false;
    if (op == "<") return less(a, b);
    if (op == ">") return less(b, a);
    return op == "<=" ? !less(b, a) : !less(a, b);
}

}  // namespace rag::core::jinja
