// Functions and variables that every template has: range, dict, namespace, and transformers' raise_exception and strftime_now.
#include <array>
#include <ctime>

#include "core/error.hpp"
#include "tokenizer/chat_template/runtime.hpp"

namespace rag::core::jinja {

namespace {

constexpr std::int64_t kMaxRange = 100'000;  // jinja2.sandbox.MAX_RANGE

Value range(Runtime& runtime, Arguments& arguments) {
    const std::size_t given = arguments.positional.size();
    const Bound bound(arguments, "range", {"start", "stop", "step"});
    static_cast<void>(bound.required(0));
    const std::int64_t begin = given == 1 ? 0 : bound.integer(0, 0);
    const std::int64_t end = given == 1 ? bound.integer(0, 0) : bound.integer(1, 0);
    const std::int64_t step = bound.integer(2, 1);
    if (step == 0) fail(Code::kInvalidArgument, "range: the step is 0");
    std::vector<Value> items;
    // Differences as double: exact enough to compare with the limit, and they cannot overflow.
    const double count = (static_cast<double>(end) - static_cast<double>(begin)) / static_cast<double>(step);
    if (count > static_cast<double>(kMaxRange)) fail(Code::kInvalidArgument, "range: more than {} numbers", kMaxRange);
    for (std::int64_t i = begin; step > 0 ? i < end : i > end;) {
        items.push_back(Value::integer(i));
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    runtime.charge(items.size());
    return make_range(std::move(items), begin, end, step);
}

/// dict(pairs or mapping, name=value ...) as entries.
Map merged(Runtime& runtime, Arguments& arguments, std::string_view what) {
    if (arguments.positional.size() > 1) fail(Code::kInvalidArgument, "{} takes at most 1 positional argument", what);
    Map out;
    if (!arguments.positional.empty()) {
        const Value& given = arguments.positional.front();
        runtime.charge_bytes(given.weight());
        if (given.mapping() != nullptr) {
            out = *given.mapping();
        } else {
            const SequencePtr walked = runtime.iterate(given);
            for (const Value& pair : walked->items) {
                const SequencePtr parts = runtime.iterate(pair);
                if (parts->items.size() != 2) fail(Code::kInvalidArgument, "{} needs pairs", what);
                if (!hashable(parts->items[0])) fail(Code::kInvalidArgument, "a {} cannot be a key", parts->items[0].type_name());
                runtime.charge(1 + out.entries.size() / 8);
                out.set(parts->items[0], parts->items[1]);
            }
        }
    }
    for (auto& [name, value] : arguments.named) out.set(Value::text(name), value);
    return out;
}

Value dict(Runtime& runtime, Arguments& arguments) {
    return Value::map(merged(runtime, arguments, "dict"));
}

Value name_space(Runtime& runtime, Arguments& arguments) {
    Namespace* out = runtime.new_namespace();
    for (auto& [key, value] : merged(runtime, arguments, "namespace").entries) {
        const std::string* name = key.string();
        if (name == nullptr) fail(Code::kInvalidArgument, "namespace: an attribute is named by str, not {}", key.type_name());
        if (!name->empty() && name->front() == '_')
            fail(Code::kInvalidArgument, "a namespace takes no attribute {}: it begins with _", quote(*name, 40));
        out->attributes.emplace_back(*name, value);
    }
    return Value(Value::Data(out));
}

Value raise_exception(Runtime& runtime, Arguments& arguments) {
    const Bound bound(arguments, "raise_exception", {"message"});
    runtime.charge_bytes(bound.required(0).weight());
    fail(Code::kInvalidArgument, "the template refuses the messages: {}", quote(to_text(bound.required(0)), 500));
}

Value strftime_now(Runtime& runtime, Arguments& arguments) {
    const Bound bound(arguments, "strftime_now", {"format"});
    const std::string& format = bound.text(0);
    // Directives that CPython on Linux and C's strftime write alike; %c, %x and %X would follow the host's locale.
    static constexpr std::string_view kKnown = "aAbBdHIjmMpSUwWyYZzeFTDRGVu%";
    for (std::size_t at = format.find('%'); at != std::string::npos; at = format.find('%', at + 2)) {
        const std::size_t last = at + 1 < format.size() && format[at + 1] == '-' ? at + 2 : at + 1;
        if (last >= format.size() || kKnown.find(format[last]) == std::string_view::npos)
            fail(Code::kUnsupported, "strftime_now: the directive {} is not known", quote(format.substr(at, last - at + 1)));
    }
    if (format.size() > 200) fail(Code::kInvalidArgument, "strftime_now: a format of {} bytes", format.size());
    if (format.empty()) return Value::text("");
    const std::time_t seconds = runtime.now();
    std::tm parts{};
    if (localtime_r(&seconds, &parts) == nullptr) fail(Code::kInvalidArgument, "strftime_now: the clock shows no date");
    std::array<char, 4096> buffer{};
    const std::size_t size = std::strftime(buffer.data(), buffer.size(), format.c_str(), &parts);
    return runtime.make_text(std::string(buffer.data(), size));
}

constexpr std::array<Function, 5> kFunctions = {{
    {"range", range},
    {"dict", dict},
    {"namespace", name_space},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
}};

Value unknown_global(Runtime&, Arguments&) {
    fail(Code::kUnsupported, "the functions \"lipsum\", \"cycler\" and \"joiner\" are not known");
}
constexpr std::array<Function, 3> kUnknown = {
    {{"lipsum", unknown_global}, {"cycler", unknown_global}, {"joiner", unknown_global}}};

}  // namespace

Value make_range(std::vector<Value> items, std::int64_t begin, std::int64_t end, std::int64_t step) {
    std::string label = step == 1 ? fmt::format("range({}, {})", begin, end) : fmt::format("range({}, {}, {})", begin, end, step);
    return Value::range(std::move(items), std::move(label), begin, step);
}

const Function* find_global(std::string_view name) {
    for (const Function& function : kFunctions) {
        if (function.name == name) return &function;
    }
    for (const Function& function : kUnknown) {
        if (function.name == name) return &function;
    }
    return nullptr;
}

}  // namespace rag::core::jinja
